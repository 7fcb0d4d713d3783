using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Sources;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.Wire;

namespace MmCluster.Cluster.Placement;

/// <summary>What should run of a model.</summary>
/// <param name="Deployment">What is deployed; null when the model was removed.</param>
/// <param name="Revision">Its revision.</param>
/// <param name="Stages">The stages it needs.</param>
/// <param name="ServingRevision">The revision that takes requests so far, or null.</param>
/// <param name="Scaled">Replicas that were asked for, by component.</param>
internal sealed record ModelDesire(
    ModelDeployment? Deployment, string Revision, ModelStages? Stages, string? ServingRevision, IReadOnlyDictionary<string, int> Scaled)
{
    /// <summary>Replicas that a component should have.</summary>
    public int Replicas(string component)
    {
        ComponentDeployment said = Deployment!.Component(component);
        int wanted = Math.Max(said.MinReplicas, Scaled.GetValueOrDefault(component, said.MinReplicas));
        return said.MaxReplicas is { } most ? Math.Min(wanted, most) : wanted;
    }
}

/// <summary>One thing to do.</summary>
internal abstract record StageAction
{
    private StageAction()
    {
    }

    /// <summary>Load a stage on the first of these nodes that has room.</summary>
    public sealed record Place(StageSpec Spec, IReadOnlyList<string> Nodes) : StageAction;

    /// <summary>Let the model use a stage that is there.</summary>
    public sealed record Attach(StageSpec Spec) : StageAction;

    /// <summary>The model needs a shared stage no more.</summary>
    public sealed record Detach(StageKind Kind, string Key, string Revision) : StageAction;

    /// <summary>No new requests for a stage.</summary>
    public sealed record Drain(StageKind Kind, string Key) : StageAction;

    /// <summary>End a stage that has nothing to do, or has failed; the latter after a while.</summary>
    public sealed record Unload(StageKind Kind, string Key, bool IsFailed) : StageAction;
}

/// <summary>Where requests of one revision may go.</summary>
internal sealed record RevisionPlan(string Revision, BackboneFacts? Facts, BackboneRoute[] Backbones, EncoderRoute[] Encoders, GeneratorRoute[] Generators);

/// <summary>What to do for a model, and what of it can be used meanwhile.</summary>
internal sealed record ModelPlan
{
    public required IReadOnlyList<StageAction> Actions { get; init; }

    /// <summary>The revision that takes requests from now on, or null.</summary>
    public RevisionPlan? Serving { get; init; }

    /// <summary>The wanted revision while another serves, once it can do all: for requests that name it.</summary>
    public RevisionPlan? Coming { get; init; }

    /// <summary>The name of <see cref="Serving"/>.</summary>
    public string? ServingRevision => Serving?.Revision;

    public IReadOnlyList<ComponentStatus> Components { get; init; } = [];

    /// <summary>The load of each component's ready replicas.</summary>
    public IReadOnlyDictionary<string, StageLoad[]> Loads { get; init; } = new Dictionary<string, StageLoad[]>();

    /// <summary>What keeps it from being as it should, or null.</summary>
    public string? Problem { get; init; }

    /// <summary>Whether no stage of the model is left.</summary>
    public bool IsGone { get; init; }

    /// <summary>Whether all is as it should be.</summary>
    public bool IsSettled => Actions.Count == 0 && Components.All(component => component.Ready == component.Desired);
}
