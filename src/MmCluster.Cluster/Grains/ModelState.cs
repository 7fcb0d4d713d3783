using MmCluster.Cluster.Deployment;

namespace MmCluster.Cluster.Grains;

/// <summary>What a model's grain remembers over restarts.</summary>
[GenerateSerializer, Alias("mm.ModelState")]
public sealed class ModelState
{
    /// <summary>What should run; null when the model was removed.</summary>
    [Id(0)]
    public ModelDeployment? Deployment { get; set; }

    /// <summary>When it was first deployed.</summary>
    [Id(1)]
    public DateTimeOffset Created { get; set; }

    /// <summary>Replicas that were asked for by <c>mm scale</c>, by component.</summary>
    [Id(2)]
    public Dictionary<string, int> Scaled { get; set; } = [];

    /// <summary>What takes requests: the deployment before, while a new one is rolled out.</summary>
    [Id(3)]
    public ModelDeployment? Serving { get; set; }
}
