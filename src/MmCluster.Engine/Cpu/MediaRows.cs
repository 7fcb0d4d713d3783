using MmCluster.Tensors;

namespace MmCluster.Engine.Cpu;

/// <summary>Puts media features in the place of token embeddings.</summary>
internal static class MediaRows
{
    /// <summary>Copies feature rows [<paramref name="first"/>, first + count) to the rows of <paramref name="target"/> F32 [T, width] from <paramref name="row"/> on.</summary>
    /// <exception cref="ArgumentException">The features' shape is not what the span says.</exception>
    public static void Place(MediaSpan span, Tensor target, int row, int first, int count)
    {
        Tensor features = span.Features.GetAwaiter().GetResult();
        int width = target.Size(1);
        if (features.Rank != 2 || features.Size(0) != span.Length || features.Size(1) != width)
        {
            throw new ArgumentException($"media at position {span.Position}: features are {features.Shape}, expected [{span.Length}, {width}]");
        }
        Tensor rows = features.Slice(0, first, first + count);
        if (rows.DType != DType.F32)
        {
            rows = rows.To(DType.F32);
        }
        rows.Contiguous().AsReadOnlySpan<float>().CopyTo(target.Slice(0, row, row + count).AsSpan<float>());
    }
}
