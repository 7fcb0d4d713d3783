using MmCluster.Cluster.Hosting;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Nodes;

/// <summary>A device whose memory a node gives away.</summary>
/// <param name="Name">cpu or cuda:N.</param>
/// <param name="CapacityBytes">What stages may use of it; 0 where our kernels do not run.</param>
internal sealed record NodeDevice(string Name, long CapacityBytes)
{
    // What a process's context, kernels and libraries take of a GPU beside its stages' memory.
    private const long ContextBytes = 512L << 20;

    private readonly Func<long?> _free = () => null;

    /// <summary>What the GPU is; null for the processor.</summary>
    public GpuInfo? Gpu { get; init; }

    /// <summary>Bytes that no process has taken now, or null where nobody tells.</summary>
    public long? FreeBytes => _free();

    /// <summary>The devices of a silo. What others have taken of a GPU by now is theirs.</summary>
    public static IReadOnlyList<NodeDevice> Of(MmSiloOptions options, IGpuInventory inventory)
    {
        if (options.Role == MmSiloOptions.GatewayRole)
        {
            return [new NodeDevice("cpu", 0)];
        }
        long memory = options.MemoryBytes ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 10 * 8;
        return [new NodeDevice("cpu", memory), .. inventory.Gpus.Select(gpu => new NodeDevice(gpu, inventory))];
    }

    private NodeDevice(GpuInfo gpu, IGpuInventory inventory)
        : this(gpu.Device, gpu.IsUsable ? Math.Max((inventory.FreeBytes(gpu) ?? gpu.TotalBytes) - ContextBytes, 0) : 0)
    {
        Gpu = gpu;
        _free = () => inventory.FreeBytes(gpu);
    }
}
