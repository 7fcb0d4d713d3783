using MmCluster.Models.Checkpoints;
using MmCluster.Tensors;

namespace MmCluster.Models.Layers;

/// <summary>Checkpoint tensors as tensors, and as packed matrices.</summary>
internal static class WeightPacking
{
    /// <summary>Packs matrices one below the other, straight from the mapped file where its layout allows; kernels are unrolled.</summary>
    public static LinearWeight Pack(StoredTensor[] stored, WeightOptions options)
    {
        using var scope = new TensorScope();
        Tensor[] sources = [.. stored.Select(tensor => Matrix(tensor, options))];
        return LinearWeight.Pack(sources, options.Matrices, options.Device);
    }

    // Rows or columns of a matrix are a view of the whole: of the file nothing else is read, made-up values are made whole and then cut.
    private static Tensor Matrix(StoredTensor stored, WeightOptions options)
    {
        if (stored.Whole is { } whole)
        {
            TensorPart part = stored.Part;
            return Matrix(whole, options).Slice(part.Axis, (int)part.Start, (int)(part.Start + part.Length));
        }
        return (stored.Made is { } made ? Make(stored, made, options) : View(stored)).Reshape((int)stored.Shape[0], -1);
    }

    // Half precision is enough for values that mean nothing, and half of the memory.
    private static Tensor Make(StoredTensor stored, DummyValues values, WeightOptions options) => values.Make(
        new Shape([.. stored.Shape.Select(size => checked((int)size))]), options.Matrices == DType.F32 ? DType.F32 : DType.BF16, options.Device);

    /// <summary>The tensor over the mapped file; a copy in F32 where its element type or layout is none that tensors have.</summary>
    private static unsafe Tensor View(StoredTensor stored)
    {
        Shape shape = new([.. stored.Shape.Select(size => checked((int)size))]);
        DType? type = stored.Type switch
        {
            StoredType.F32 => DType.F32,
            StoredType.F16 => DType.F16,
            StoredType.BF16 => DType.BF16,
            _ => null,
        };
        if (type is { } dtype && stored.IsContiguous && (nint)stored.Pointer % stored.Type.Size() == 0)
        {
            return Tensor.FromMemory((nint)stored.Pointer, stored.Bytes, shape, dtype, stored);
        }
        Tensor copy = Tensor.Empty(shape);
        stored.Read(0, copy.AsSpan<float>());
        return copy;
    }
}
