namespace MmCluster.Tensors.Cpu;

// Random numbers.
internal sealed unsafe partial class CpuBackend
{
    public void Normal(Tensor y, ulong seed, float mean, float std)
    {
        var body = new NormalBody { Y = y.Data, DType = y.DType, Count = y.ElementCount, Seed = seed, Mean = mean, Std = std };
        _pool.Run(checked((int)((y.ElementCount + NormalBody.PartLength - 1) / NormalBody.PartLength)), ref body);
    }
}
