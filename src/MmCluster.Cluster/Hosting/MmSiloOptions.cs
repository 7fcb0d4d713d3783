namespace MmCluster.Cluster.Hosting;

/// <summary>What every process of a cluster, silo or gateway, must be told.</summary>
public abstract record MmProcessOptions
{
    /// <summary>Names the cluster; processes with the same id find each other.</summary>
    public string ClusterId { get; init; } = "mm";

    /// <summary>What all processes of the cluster know and prove to each other. Must not be empty.</summary>
    public required string ClusterSecret { get; init; }

    /// <summary>
    /// The folder by which the processes of one machine find each other; null where the host registers other clustering (Redis, AdoNet, a test cluster).
    /// </summary>
    public string? ClusterFolder { get; init; }

    /// <summary>
    /// Settings of Orleans' own configuration, by their keys below <c>Orleans:</c>, such as <c>Clustering:ProviderType</c> (docs/packages.md): a clustering or grain storage that
    /// they name takes the place of the folder's.
    /// </summary>
    public IReadOnlyDictionary<string, string?> Orleans { get; init; } = new Dictionary<string, string?>();

    /// <summary>Folder of model cards (*.yaml); need not exist.</summary>
    public string CardsFolder { get; init; } = "models";

    /// <summary>Folder of pulled models; null takes the user's own store.</summary>
    public string? StoreFolder { get; init; }

    /// <summary>Address that others reach this process by.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>TCP port of the tensor link; 0 picks a free one.</summary>
    public int TensorLinkPort { get; init; }

    /// <summary>Shared memory for tensors that this process holds for others; pages are taken when first used. Default 1 GiB.</summary>
    public long TensorLinkBytes { get; init; } = 1L << 30;
}

/// <summary>What a silo must be told.</summary>
public sealed record MmSiloOptions : MmProcessOptions
{
    /// <summary>Its name, as `mm status` shows it and `mm drain` takes it; null makes one.</summary>
    public string? Name { get; init; }

    /// <summary>What it is for (<c>mm.role</c>): deployments may ask for a role. A silo of role <see cref="GatewayRole"/> runs no stages.</summary>
    public string Role { get; init; } = "worker";

    /// <summary>Where it stands (<c>mm.zone</c>).</summary>
    public string Zone { get; init; } = "";

    /// <summary>Port for other silos; 0 picks a free one.</summary>
    public int SiloPort { get; init; }

    /// <summary>Port for gateways and tools; 0 picks a free one, null has none.</summary>
    public int? GatewayPort { get; init; } = 0;

    /// <summary>Main memory that stages may use, in bytes; null takes 80% of what the process may have.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>
    /// Folder of what survives restarts (desired state); null keeps it below <see cref="MmProcessOptions.ClusterFolder"/>, and with neither the host registers a
    /// grain storage named Default.
    /// </summary>
    public string? StateFolder { get; init; }

    /// <summary>The role of silos that run no stages.</summary>
    public const string GatewayRole = "gateway";
}

/// <summary>What a gateway or tool outside the silos must be told.</summary>
public sealed record MmClientOptions : MmProcessOptions;
