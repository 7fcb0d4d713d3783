using Orleans.Placement;
using Orleans.Runtime.Placement;

namespace MmCluster.Cluster.Placement;

/// <summary>A stage goes where its planner says and nowhere else.</summary>
internal sealed class StagePlacementStrategy : PlacementStrategy;

/// <summary>Marks grains of stages.</summary>
internal sealed class StagePlacementAttribute() : PlacementAttribute(new StagePlacementStrategy());

/// <summary>
/// Obeys the hint of whoever reserved memory for the stage. A call without one comes from somebody who does not know that the stage is gone: it must not
/// load a model. Makes no grain calls.
/// </summary>
internal sealed class StagePlacementDirector : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context) =>
        IPlacementDirector.GetPlacementHint(target.RequestContextData, context.GetCompatibleSilos(target)) is { } silo
            ? Task.FromResult(silo)
            : throw new StageNotPlacedException(target.GrainIdentity.Key.ToString()!);
}

/// <summary>The grain of a node lives on that node: its key is the silo's address.</summary>
internal sealed class NodePlacementStrategy : PlacementStrategy;

/// <summary>Marks the grains of nodes.</summary>
internal sealed class NodePlacementAttribute() : PlacementAttribute(new NodePlacementStrategy());

/// <summary>Puts a node's grain on its node.</summary>
internal sealed class NodePlacementDirector : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        string key = target.GrainIdentity.Key.ToString()!;
        return context.GetCompatibleSilos(target).FirstOrDefault(silo => silo.ToParsableString() == key) is { } silo
            ? Task.FromResult(silo)
            : throw new StageNotPlacedException($"node {key}");
    }
}
