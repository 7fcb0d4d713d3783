using MmCluster.Tensors.Cpu;

namespace MmCluster.Tensors.Cuda;

/// <summary>
/// A tensor as evenly spaced rows of 16-bit elements that kernels may read 8 at a time: rows begin on 16 bytes and are a multiple of 8 elements long.
/// </summary>
internal readonly unsafe struct HalfRows
{
    private const int Alignment = 16;

    private HalfRows(Tensor x, long step)
    {
        Address = (nint)x.Data;
        Columns = x.Shape[^1];
        Rows = Columns == 0 ? 0 : x.ElementCount / Columns;
        Step = step;
        DType = x.DType;
    }

    /// <summary>Of the first row.</summary>
    internal nint Address { get; }

    /// <summary>How many.</summary>
    internal long Rows { get; }

    /// <summary>Elements of a row.</summary>
    internal int Columns { get; }

    /// <summary>Elements from a row to the next.</summary>
    internal long Step { get; }

    /// <summary>F16 or BF16.</summary>
    internal DType DType { get; }

    /// <summary>The rows along the last axis, where that is possible.</summary>
    internal static bool TryOf(Tensor x, out HalfRows rows)
    {
        rows = default;
        if (!IsHalf(x.DType) || x.Rank == 0 || x.Shape[^1] % 8 != 0 || !CpuBackend.HasEvenRows(x))
        {
            return false;
        }

        int axis = x.Rank - 2;
        while (axis > 0 && x.Shape[axis] == 1)
        {
            axis--;
        }

        long step = axis < 0 || x.Shape[axis] == 1 ? x.Shape[^1] : x.Stride(axis);
        rows = new HalfRows(x, step);
        return IsAligned(rows.Address) && step % 8 == 0;
    }

    /// <summary>Whether an address suits 16-byte accesses.</summary>
    internal static bool IsAligned(nint address) => address % Alignment == 0;

    /// <summary>Whether an optional F32 vector (gains, biases) suits 16-byte accesses.</summary>
    internal static bool IsVector(Tensor? x) => x is null || (x.DType == DType.F32 && x.IsContiguous && IsAligned((nint)x.Data));

    /// <summary>F16 or BF16.</summary>
    internal static bool IsHalf(DType dtype) => dtype is DType.F16 or DType.BF16;

    /// <summary>The option of half.cuh for a type.</summary>
    internal static string Define(DType dtype) => dtype == DType.F16 ? "-DELEMENT_F16=1" : "-DELEMENT_F16=0";
}
