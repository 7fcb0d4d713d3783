using MmCluster.Cluster.Wire;

namespace MmCluster.Cluster.Grains;

/// <summary>A node: its devices' memory and its stages. The key is the silo's address.</summary>
[Alias("mm.INode")]
internal interface INodeGrain : IGrainWithStringKey
{
    /// <summary>The node and its stages.</summary>
    [Alias("View")]
    Task<NodeView> ViewAsync();

    /// <summary>Promises memory to a stage for a short while. False where there is not enough, or the node is drained.</summary>
    [Alias("Reserve")]
    Task<bool> ReserveAsync(string stage, string device, long bytes);

    /// <summary>Promises so much memory of each of <paramref name="devices"/> GPUs in a row, all of them or none.</summary>
    [Alias("ReserveSpan")]
    Task<bool> ReserveSpanAsync(string stage, string device, long bytes, int devices);

    /// <summary>Takes a promise back.</summary>
    [Alias("Release")]
    Task ReleaseAsync(string stage);

    /// <summary>Nothing new is placed here from now on.</summary>
    [Alias("Drain")]
    Task DrainAsync();
}
