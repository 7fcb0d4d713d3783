using MmCluster.Tensors;

namespace MmCluster.Cluster.Nodes;

/// <summary>The GPUs that a node may use. Tests have made-up ones.</summary>
internal interface IGpuInventory
{
    /// <summary>The GPUs, as <c>CUDA_VISIBLE_DEVICES</c> counts them. Constant.</summary>
    IReadOnlyList<GpuInfo> Gpus { get; }

    /// <summary>Bytes of a GPU that no process has taken now, or null where nobody tells.</summary>
    long? FreeBytes(GpuInfo gpu);
}

/// <summary>The GPUs of this machine, looked for once.</summary>
internal sealed class MachineGpus : IGpuInventory
{
    public IReadOnlyList<GpuInfo> Gpus { get; } = GpuInfo.List();

    public long? FreeBytes(GpuInfo gpu) => gpu.FreeBytes();
}

/// <summary>None: of a silo that runs no stages.</summary>
internal sealed class NoGpus : IGpuInventory
{
    public IReadOnlyList<GpuInfo> Gpus => [];

    public long? FreeBytes(GpuInfo gpu) => null;
}
