namespace MmCluster.Tensors.Cpu;

/// <summary>The processor's kernels behind <see cref="IBackend"/>: picks loops and splits them over the compute pool.</summary>
internal sealed unsafe partial class CpuBackend : IBackend
{
    public void Copy(Tensor source, Tensor destination) => CopyKernels.Copy(source, destination);
}
