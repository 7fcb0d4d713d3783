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
        Tensor[] sources = [.. stored.Select(part => (part.Made is { } made ? Make(part, made, options) : View(part)).Reshape((int)part.Shape[0], -1))];
        return LinearWeight.Pack(sources, options.Matrices, options.Device);
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
