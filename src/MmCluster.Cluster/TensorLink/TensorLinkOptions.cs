using MmCluster.Cluster.TensorLink.Memory;

namespace MmCluster.Cluster.TensorLink;

/// <summary>How an endpoint listens and what it holds.</summary>
public sealed record TensorLinkOptions
{
    /// <summary>What every silo of the cluster knows; connections prove it to each other. Must not be empty.</summary>
    public required string ClusterSecret { get; init; }

    /// <summary>Shared memory for leased tensors, in bytes; pages are taken when first used. Default 1 GiB.</summary>
    public long SlabBytes { get; init; } = 1L << 30;

    /// <summary>How long a lease lasts without renewal. Default 30 s: three heartbeats of a gateway.</summary>
    public TimeSpan LeaseTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Bytes that may be on their way on one TCP connection. Default 8 MiB.</summary>
    public int CreditBytes { get; init; } = 8 << 20;

    /// <summary>How long a peer may take to say who it is, and to answer. Default 10 s.</summary>
    public TimeSpan PeerTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Connections accepted at once. Default 1024.</summary>
    public int MaxConnections { get; init; } = 1024;

    /// <summary>Address for other machines to connect to, and to listen on. Default: this machine only.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>TCP port; 0 picks a free one.</summary>
    public int Port { get; init; }

    /// <summary>Whether peers on this machine are reached through shared memory; false makes every pull a TCP one.</summary>
    public bool ShareMemory { get; init; } = true;

    /// <summary>Memory of a GPU that is exported at once, when the first channel between pipeline shards asks for some; more where that needs more. Default 64 MiB.</summary>
    public long DeviceSlabBytes { get; init; } = 64L << 20;

    /// <summary>How memory of devices is shared.</summary>
    internal IDeviceSlabs DeviceSlabs { get; init; } = new GpuSlabs();
}
