using System.Diagnostics.CodeAnalysis;

namespace MmCluster.Tensors;

/// <summary>Element types. The block formats hold 32 values of one row (GGUF's layout) and appear in weights only.</summary>
public enum DType
{
    /// <summary>IEEE 754 binary32.</summary>
    F32,

    /// <summary>IEEE 754 binary16.</summary>
    F16,

    /// <summary>The upper half of a binary32.</summary>
    BF16,

    /// <summary>Signed 64-bit integer.</summary>
    I64,

    /// <summary>Signed 32-bit integer.</summary>
    I32,

    /// <summary>Unsigned byte.</summary>
    U8,

    /// <summary>One byte, 0 or 1.</summary>
    Bool,

    /// <summary>32 signed bytes with one F16 scale: 34 bytes a block.</summary>
    [SuppressMessage("Naming", "CA1707", Justification = "GGUF's name")]
    Q8_0,

    /// <summary>32 values of 4 bits, offset 8, with one F16 scale: 18 bytes a block.</summary>
    [SuppressMessage("Naming", "CA1707", Justification = "GGUF's name")]
    Q4_0,

    /// <summary>A byte with 4 bits of exponent and 3 of fraction, and one F32 scale a row: weights on GPUs.</summary>
    F8E4M3,
}

/// <summary>Facts about element types.</summary>
public static class DTypes
{
    /// <summary>Values a quantized block holds.</summary>
    public const int BlockLength = 32;

    /// <summary>Bytes of one element. Block formats throw: they have no size an element.</summary>
    /// <exception cref="ArgumentException">A block format.</exception>
    public static int Size(this DType dtype) => dtype switch
    {
        DType.F32 or DType.I32 => 4,
        DType.F16 or DType.BF16 => 2,
        DType.I64 => 8,
        DType.U8 or DType.Bool => 1,
        _ => throw new ArgumentException($"dtype: {dtype} has no size an element, it is stored in blocks of {BlockLength}"),
    };

    /// <summary>Bytes of <paramref name="elements"/> elements; block formats need a multiple of 32.</summary>
    /// <exception cref="ArgumentException">Not a whole number of blocks.</exception>
    public static long Bytes(this DType dtype, long elements)
    {
        if (!dtype.IsQuantized())
        {
            return checked(elements * dtype.Size());
        }

        if (elements % BlockLength != 0)
        {
            throw new ArgumentException($"dtype: {dtype} stores blocks of {BlockLength}, got {elements} elements");
        }

        return checked(elements / BlockLength * dtype.BlockBytes());
    }

    /// <summary>Bytes of one block of 32 values.</summary>
    /// <exception cref="ArgumentException">Not a block format.</exception>
    public static int BlockBytes(this DType dtype) => dtype switch
    {
        DType.Q8_0 => 34,
        DType.Q4_0 => 18,
        _ => throw new ArgumentException($"dtype: {dtype} is not a block format"),
    };

    /// <summary>Whether values are stored in blocks with a scale.</summary>
    public static bool IsQuantized(this DType dtype) => dtype is DType.Q8_0 or DType.Q4_0;

    /// <summary>Whether it is F32, F16 or BF16.</summary>
    public static bool IsFloat(this DType dtype) => dtype is DType.F32 or DType.F16 or DType.BF16;

    /// <summary>The element type that stores a C# type: float, Half, long, int, byte or bool; ushort reads as BF16.</summary>
    /// <exception cref="ArgumentException">A type that no element type stores.</exception>
    internal static DType Of<T>() where T : unmanaged =>
        typeof(T) == typeof(float) ? DType.F32
        : typeof(T) == typeof(Half) ? DType.F16
        : typeof(T) == typeof(ushort) ? DType.BF16
        : typeof(T) == typeof(long) ? DType.I64
        : typeof(T) == typeof(int) ? DType.I32
        : typeof(T) == typeof(byte) ? DType.U8
        : typeof(T) == typeof(bool) ? DType.Bool
        : throw new ArgumentException($"dtype: no element type stores {typeof(T).Name}");
}
