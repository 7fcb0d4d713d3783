namespace MmCluster.Tensors.Cuda;

// Random numbers.
internal sealed unsafe partial class CudaBackend
{
    public void Normal(Tensor y, ulong seed, float mean, float std)
    {
        string name = $"normal_{FloatKernels.Name(y.DType)}";
        _context.Kernels["random", name].Launch(Stream, (y.ElementCount + (4 * Threads256) - 1) / (4 * Threads256), Threads256, 0, y, y.ElementCount, seed, mean, std);
    }
}
