using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace MmCluster.Tensors.Cpu;

/// <summary>The processor's kernels behind <see cref="IBackend"/>: picks loops and splits them over the compute pool.</summary>
[SuppressMessage("Reliability", "CA1001", Justification = "one a device, and devices live as long as the process")]
internal sealed unsafe partial class CpuBackend : IBackend
{
    /// <summary>For methods that are hot loops: compiled whole at the first call, so that the first token does not wait for tiers.</summary>
    internal const MethodImplOptions Kernel = MethodImplOptions.AggressiveOptimization;

    private ComputePool _pool = new(Math.Min(ComputePool.AvailableCpus, 1024));

    public int Threads
    {
        get => _pool.Threads;
        set
        {
            if (value != _pool.Threads)
            {
                ComputePool old = _pool;
                _pool = new ComputePool(value);
                old.Dispose();
            }
        }
    }

    public void Copy(Tensor source, Tensor destination) => CopyKernels.Copy(source, destination);

    public void TopK(Tensor x, Tensor values, Tensor indices)
    {
        int n = x.Shape[^1];
        int k = values.Shape[^1];
        long rows = k == 0 ? 0 : values.ElementCount / k;
        for (long row = 0; row < rows; row++)
        {
            Selection.TopK(x.Pointer<float>() + (row * n), n, k, values.Pointer<float>() + (row * k), indices.Pointer<long>() + (row * k));
        }
    }
}
