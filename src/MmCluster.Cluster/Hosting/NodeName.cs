namespace MmCluster.Cluster.Hosting;

/// <summary>The name that this silo goes by.</summary>
internal sealed record NodeName(string Name);
