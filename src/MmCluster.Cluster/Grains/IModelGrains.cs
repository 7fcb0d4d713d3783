using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.Wire;

namespace MmCluster.Cluster.Grains;

/// <summary>A model: what should run, what does, and where requests go. The key is its name.</summary>
[Alias("mm.IModel")]
internal interface IModelGrain : IGrainWithStringKey
{
    [Alias("Deploy")]
    Task DeployAsync(ModelDeployment deployment);

    [Alias("Remove")]
    Task RemoveAsync();

    /// <summary>Sets a component's replicas; returns how many there should have been.</summary>
    [Alias("Scale")]
    Task<int> ScaleAsync(string component, int replicas);

    /// <summary>The routes, as soon as their version is not <paramref name="known"/>; the same again after a few seconds.</summary>
    [Alias("Routes")]
    Task<ModelRoutes> RoutesAsync(long known);

    /// <summary>A caller found a stage lost, or wants to see a change: looks at once.</summary>
    [Alias("Look")]
    Task LookAsync();

    [Alias("Status")]
    Task<ModelStatus> StatusAsync();
}

/// <summary>The names of the deployed models. One grain, of key <see cref="Key"/>.</summary>
[Alias("mm.ICatalog")]
internal interface ICatalogGrain : IGrainWithStringKey
{
    const string Key = "models";

    [Alias("Add")]
    Task AddAsync(string model);

    [Alias("Remove")]
    Task RemoveAsync(string model);

    /// <summary>The names, as soon as their version is not <paramref name="known"/>; the same again after a few seconds.</summary>
    [Alias("List")]
    Task<CatalogList> ListAsync(long known);

    /// <summary>All nodes that answer, with their stages.</summary>
    [Alias("Nodes")]
    Task<NodeView[]> NodesAsync();
}

/// <summary>The deployed models at one version.</summary>
[GenerateSerializer, Immutable, Alias("mm.CatalogList")]
internal sealed record CatalogList(long Version, string[] Models);
