using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu.Linear;

/// <summary>A number of rows as a type, so that a kernel is compiled for it.</summary>
internal interface IRows
{
    static abstract int Value { get; }
}

internal readonly struct Rows1 : IRows
{
    public static int Value => 1;
}

internal readonly struct Rows2 : IRows
{
    public static int Value => 2;
}

internal readonly struct Rows3 : IRows
{
    public static int Value => 3;
}

internal readonly struct Rows4 : IRows
{
    public static int Value => 4;
}

internal readonly struct Rows5 : IRows
{
    public static int Value => 5;
}

internal readonly struct Rows6 : IRows
{
    public static int Value => 6;
}

internal readonly struct Rows8 : IRows
{
    public static int Value => 8;
}

/// <summary>How 64 columns of weights lie for one k.</summary>
internal unsafe interface IFloatPanel
{
    static abstract int BytesAK { get; }

    /// <summary>The 64 columns in order.</summary>
    static abstract void Load(byte* b, out Vector512<float> w0, out Vector512<float> w1, out Vector512<float> w2, out Vector512<float> w3);

    /// <summary>Columns c.. and c + 16.., where b is at <see cref="PairOffset"/>.</summary>
    static abstract void LoadPair<T>(byte* b, out T low, out T high) where T : struct, IVec<T>;

    /// <summary>Bytes from the panel's row to columns group + column and group + column + 16; groups are 0 and 32, column is below 16.</summary>
    static abstract int PairOffset(int group, int column);
}

/// <summary>[k][64] floats.</summary>
internal readonly unsafe struct F32Panel : IFloatPanel
{
    public static int BytesAK => 256;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* b, out Vector512<float> w0, out Vector512<float> w1, out Vector512<float> w2, out Vector512<float> w3)
    {
        w0 = Vector512.Load((float*)b);
        w1 = Vector512.Load((float*)b + 16);
        w2 = Vector512.Load((float*)b + 32);
        w3 = Vector512.Load((float*)b + 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair<T>(byte* b, out T low, out T high) where T : struct, IVec<T>
    {
        low = T.Load((float*)b);
        high = T.Load((float*)b + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int PairOffset(int group, int column) => (group + column) * sizeof(float);
}

/// <summary>[k][2][16] words: column c of a group of 32 in the low half, column c + 16 in the high half, so that widening is a shift and a mask.</summary>
internal readonly unsafe struct BF16Panel : IFloatPanel
{
    public static int BytesAK => 128;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* b, out Vector512<float> w0, out Vector512<float> w1, out Vector512<float> w2, out Vector512<float> w3)
    {
        Vector512<uint> mask = Vector512.Create(0xffff0000u);
        Vector512<uint> first = Vector512.Load((uint*)b);
        Vector512<uint> second = Vector512.Load((uint*)b + 16);
        w0 = (first << 16).AsSingle();
        w1 = (first & mask).AsSingle();
        w2 = (second << 16).AsSingle();
        w3 = (second & mask).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPair<T>(byte* b, out T low, out T high) where T : struct, IVec<T> => T.LoadBF16Pairs((uint*)b, out low, out high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int PairOffset(int group, int column) => ((group / 2) + column) * sizeof(uint);
}

/// <summary>Products of a few packed rows and a panel of 64 columns.</summary>
internal unsafe interface IFloatTiles
{
    static abstract int BytesAK { get; }

    /// <param name="rows">1 to 6.</param>
    /// <param name="a">[depth][rows]</param>
    /// <param name="b">The panel from the first k on.</param>
    /// <param name="c">[rows][64], <paramref name="ldc"/> floats apart.</param>
    /// <param name="ldc">Floats between rows of c.</param>
    /// <param name="depth">How many k.</param>
    /// <param name="accumulate">Whether the chains go on from what c holds.</param>
    static abstract void Tile(int rows, float* a, byte* b, float* c, nint ldc, nint depth, bool accumulate);
}
