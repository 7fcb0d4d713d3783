using MmCluster.Cluster.TensorLink;

namespace MmCluster.Cluster.Hosting;

/// <summary>The keys by which a silo says what it is.</summary>
internal static class NodeMetadata
{
    public const string Name = "mm.name";

    public const string Role = "mm.role";

    public const string Zone = "mm.zone";

    public const string GpuCount = "mm.gpu.count";

    public const string GpuMemory = "mm.gpu.memory";
}

/// <summary>The tensor link's options of a process.</summary>
internal static class LinkOptions
{
    public static TensorLinkOptions Of(MmProcessOptions options) => new()
    {
        ClusterSecret = options.ClusterSecret,
        SlabBytes = options.TensorLinkBytes,
        Host = options.Host,
        Port = options.TensorLinkPort,
    };
}
