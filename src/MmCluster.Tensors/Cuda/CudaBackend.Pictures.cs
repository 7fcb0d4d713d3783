using MmCluster.Tensors.Cpu;

namespace MmCluster.Tensors.Cuda;

// Resampling of pictures.
internal sealed unsafe partial class CudaBackend
{
    private readonly FloatKernels _interpolate;

    public void Interpolate(Tensor x, Tensor y, InterpolationMode mode, bool alignCorners, bool antialias)
    {
        Resampling horizontal = Resampling.Of(x.Shape[3], y.Shape[3], mode, alignCorners, antialias);
        Resampling vertical = Resampling.Of(x.Shape[2], y.Shape[2], mode, alignCorners, antialias);
        using Tensor columns = Tensor.From(horizontal.Indices, [horizontal.Indices.Length], x.Device);
        using Tensor columnWeights = Tensor.From(horizontal.Weights, [horizontal.Weights.Length], x.Device);
        using Tensor rows = Tensor.From(vertical.Indices, [vertical.Indices.Length], x.Device);
        using Tensor rowWeights = Tensor.From(vertical.Weights, [vertical.Weights.Length], x.Device);
        _interpolate[x.DType].Launch(
            Stream, Grid(y.ElementCount), Threads256, 0, x, y, x.Shape[2], x.Shape[3], y.Shape[2], y.Shape[3], y.ElementCount,
            rows, rowWeights, vertical.Taps, columns, columnWeights, horizontal.Taps);
    }
}
