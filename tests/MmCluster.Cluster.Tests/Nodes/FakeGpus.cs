using MmCluster.Cluster.Nodes;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.Nodes;

/// <summary>GPUs of a machine that has none: so many bytes each.</summary>
internal sealed class FakeGpus(params long[] bytes) : IGpuInventory
{
    private GpuInfo[]? _gpus;

    public int[] Majors { get; init; } = [.. bytes.Select(_ => 9)];

    public long[] Free { get; } = [.. bytes];

    public IReadOnlyList<GpuInfo> Gpus => _gpus ??= [.. bytes.Select((total, i) => new GpuInfo(i, "Fake", $"GPU-{i}", Majors[i], Majors[i] == 7 ? 5 : 0, total))];

    public long? FreeBytes(GpuInfo gpu) => Free[gpu.Index];
}
