using System.Runtime.CompilerServices;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu.Attention;

/// <summary>How a key's or value's elements are stored in blocks: attention widens them as it reads, so a kernel is written once for all types.</summary>
internal unsafe interface IKvElement
{
    /// <summary>Bytes of an element.</summary>
    static abstract int Size { get; }

    /// <summary>Whether a position's elements are multiples of a scale: scores and weights are multiplied by it, not the elements.</summary>
    static abstract bool Scaled { get; }

    static abstract T Load<T>(byte* p) where T : struct, IVec<T>;
}

/// <summary>As they are.</summary>
internal readonly unsafe struct KvF32 : IKvElement
{
    public static int Size => sizeof(float);

    public static bool Scaled => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(byte* p) where T : struct, IVec<T> => T.Load((float*)p);
}

/// <summary>Rounded to BF16, ties to even.</summary>
internal readonly unsafe struct KvBF16 : IKvElement
{
    public static int Size => sizeof(ushort);

    public static bool Scaled => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(byte* p) where T : struct, IVec<T> => T.LoadBF16((ushort*)p);
}

/// <summary>Whole multiples, -127 to 127, of a scale a position and head.</summary>
internal readonly unsafe struct KvQ8 : IKvElement
{
    public static int Size => sizeof(sbyte);

    public static bool Scaled => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load<T>(byte* p) where T : struct, IVec<T> => T.LoadInt8((sbyte*)p);
}
