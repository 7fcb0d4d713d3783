using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Sources;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.Wire;
using MmCluster.Models.Cards;

namespace MmCluster.Cluster.Placement;

/// <summary>
/// Compares what should run of a model with what does. It decides from what nodes say alone and remembers nothing, so a planner that comes up anew
/// goes on where the last one was.
/// </summary>
internal sealed class ModelPlanner
{
    private readonly string _model;
    private readonly ModelDesire _desire;
    private readonly NodeView[] _nodes;
    private readonly HashSet<string> _drainedNodes;
    private readonly StageView[] _stages;
    private readonly List<StageAction> _actions = [];
    private readonly List<ComponentStatus> _components = [];
    private readonly Dictionary<string, StageLoad[]> _loads = [];
    private string? _problem;

    private ModelPlanner(string model, ModelDesire desire, IReadOnlyList<NodeView> nodes)
    {
        _model = model;
        _desire = desire;
        _nodes = [.. nodes];
        _drainedNodes = [.. nodes.Where(node => node.Status.Draining).Select(node => node.Status.Address)];
        _stages = [.. nodes.SelectMany(node => node.Stages)];
    }

    /// <summary>The plan for a model over all nodes that answer.</summary>
    public static ModelPlan Plan(string model, ModelDesire desire, IReadOnlyList<NodeView> nodes) => new ModelPlanner(model, desire, nodes).Plan();

    private ModelPlan Plan()
    {
        string? serving = _desire.ServingRevision;
        if (_desire.Deployment is not null)
        {
            PlanBackbones();
            foreach (EncoderPlan encoder in _desire.Stages!.Encoders)
            {
                PlanEncoders(encoder);
            }
            foreach (GeneratorPlan generator in _desire.Stages!.Generators)
            {
                PlanGenerators(generator);
            }
            serving = CanServe() ? _desire.Revision : serving;
        }
        else
        {
            serving = null;
        }
        EndOthers(serving);
        return new ModelPlan
        {
            Actions = _actions,
            Serving = serving is null ? null : Routes(serving),
            Coming = _desire.Deployment is not null && serving != _desire.Revision && _components.All(component => component.Ready > 0) ? Routes(_desire.Revision) : null,
            Components = _components,
            Loads = _loads,
            IsGone = !_stages.Any(stage => stage.Status.Models.Contains(_model)),
            Problem = _problem,
        };
    }

    private RevisionPlan Routes(string revision)
    {
        StageView[] backbones = [.. Backbones(revision).Where(IsReady)];
        return new RevisionPlan(
            revision,
            backbones.Select(stage => stage.Facts).FirstOrDefault(),
            [.. backbones.Select(stage => new BackboneRoute(stage.Status.Key, stage.Status.Node))],
            [.. _stages.Where(stage => stage.Kind == StageKind.Encoder && IsReady(stage))
                .SelectMany(stage => stage.Uses.Where(use => use.Ready && use.Model == _model && use.Revision == revision)
                    .Select(use => new EncoderRoute(stage.Status.Key, stage.Status.Node, use.Component, Modality.Image, stage.Digest, use.Positions)
                    {
                        Width = use.Width,
                        InputHeight = use.InputHeight,
                        InputWidth = use.InputWidth,
                    }))],
            [.. Generators(revision).Where(IsReady).Select(stage => new GeneratorRoute(stage.Status.Key, stage.Status.Node, stage.Status.Component))]);
    }

    private IEnumerable<StageView> Backbones(string? revision) => _stages.Where(stage =>
        stage.Kind == StageKind.Backbone && stage.Status.Models.Contains(_model) && stage.Status.Revision == revision);

    private void PlanBackbones()
    {
        StageView[] own = [.. Backbones(_desire.Revision)];
        Level(own, ModelDeployment.BackboneComponent, IsReady, replica => Layers(StageKind.Backbone, $"{_model}@{_desire.Revision}/{replica}", replica));
        foreach (StageView backbone in own.Where(stage => stage.Status.State != StageState.Failed))
        {
            PlanShards(backbone);
        }
    }

    // A stage of the wanted revision as its component is deployed.
    private StageSpec Spec(StageKind kind, string key, string component, int replica, long bytes)
    {
        string device = _desire.Deployment!.Component(component).Device;
        return new StageSpec
        {
            Key = key,
            Kind = kind,
            Deployment = _desire.Deployment,
            Revision = _desire.Revision,
            Component = component,
            Replica = replica,
            Device = device,
            Bytes = GpuNeeds.Of(device, bytes),
        };
    }

    // The backbone, or one of the parts that its layers and their ranks make.
    private StageSpec Layers(StageKind kind, string key, int replica)
    {
        int devices = GpuNeeds.DevicesOf(_desire.Deployment!);
        long bytes = (_desire.Stages!.BackboneBytes + _desire.Stages.KvBytes) / _desire.Stages.Shards / devices;
        return Spec(kind, key, ModelDeployment.BackboneComponent, replica, bytes) with
        {
            FurtherDevices = devices - 1,
            KeptBytes = GpuNeeds.KeptFor(_desire, _stages),
        };
    }

    // Shards come and go with the first one; those of a replica that broke are of no more use.
    private void PlanShards(StageView backbone)
    {
        StageView[] shards = [.. ShardsOf(backbone)];
        for (int shard = 1; shard < _desire.Stages!.Shards; shard++)
        {
            string key = $"{backbone.Status.Key}/{shard}";
            StageView? present = Array.Find(shards, stage => stage.Status.Key == key);
            if (present is { Status.State: StageState.Failed })
            {
                _problem ??= $"shard {shard}: {present.Status.Problem}";
                _actions.Add(new StageAction.Unload(StageKind.Shard, key, IsFailed: !present.IsBroken));
            }
            else if (present is null && backbone.Status.State == StageState.Loading)
            {
                Place(Layers(StageKind.Shard, key, backbone.Status.Replica) with { Shard = shard });
            }
        }
    }

    private IEnumerable<StageView> ShardsOf(StageView backbone) =>
        _stages.Where(stage => stage.Kind == StageKind.Shard && stage.Status.Key.StartsWith(backbone.Status.Key + '/', StringComparison.Ordinal));

    // A replica leaves with any of its nodes.
    private bool IsLeaving(StageView stage) => _drainedNodes.Contains(stage.Status.Node)
        || (stage.Kind == StageKind.Backbone && ShardsOf(stage).Any(shard => _drainedNodes.Contains(shard.Status.Node)));

    private void PlanEncoders(EncoderPlan encoder)
    {
        StageView[] all = [.. _stages.Where(stage => stage.Kind == StageKind.Encoder && stage.Digest == encoder.Digest)];
        StageSpec Encoder(int replica) =>
            Spec(StageKind.Encoder, $"{encoder.Digest}/{replica}", encoder.Component, replica, encoder.Bytes) with { Digest = encoder.Digest };
        Level(all, encoder.Component, stage => IsReady(stage) && IsUsed(stage), Encoder);
        // Others may have put some of them there: this model joins.
        foreach (StageView stage in Alive(all).Where(stage => IsReady(stage) && !IsUsed(stage)).Take(_desire.Replicas(encoder.Component)))
        {
            _actions.Add(new StageAction.Attach(Encoder(stage.Status.Replica) with { Key = stage.Status.Key }));
        }
    }

    private void PlanGenerators(GeneratorPlan generator)
    {
        StageView[] own = [.. Generators(_desire.Revision).Where(stage => stage.Status.Component == generator.Component)];
        Level(own, generator.Component, IsReady, replica => Spec(
            StageKind.Generator, $"{generator.Digest}.{_model}@{_desire.Revision}/{replica}", generator.Component, replica, generator.Bytes));
    }

    private IEnumerable<StageView> Generators(string? revision) => _stages.Where(stage =>
        stage.Kind == StageKind.Generator && stage.Status.Models.Contains(_model) && stage.Status.Revision == revision);

    private bool IsUsed(StageView stage) => stage.Uses.Any(use => use.Model == _model && use.Revision == _desire.Revision);

    // Stages that stay: not failed, not on their way out.
    private IEnumerable<StageView> Alive(IEnumerable<StageView> stages) => stages.Where(stage =>
        stage.Status.State is StageState.Loading or StageState.Ready && !IsLeaving(stage));

    // Brings a component to as many replicas as it should have.
    private void Level(StageView[] own, string component, Func<StageView, bool> isReady, Func<int, StageSpec> spec)
    {
        int wanted = _desire.Replicas(component);
        StageView[] alive = [.. Alive(own).OrderBy(stage => stage.Status.Replica)];
        HashSet<int> taken = [.. own.Select(stage => stage.Status.Replica)];
        // What failed keeps its place until it is unloaded, which is not done at once: the next try would fail as soon.
        StageView[] failures = [.. own.Where(stage => stage.Status.State == StageState.Failed)];
        for (int missing = wanted - alive.Length - failures.Length; missing > 0; missing--)
        {
            int replica = Enumerable.Range(0, int.MaxValue).First(taken.Add);
            Place(spec(replica));
        }
        foreach (StageView surplus in alive.Skip(wanted).Where(stage => stage.Kind != StageKind.Encoder))
        {
            _actions.Add(new StageAction.Drain(surplus.Kind, surplus.Status.Key));
        }
        foreach (StageView surplus in alive.Skip(wanted).Where(stage => stage.Kind == StageKind.Encoder && IsUsed(stage)))
        {
            _actions.Add(new StageAction.Detach(surplus.Kind, surplus.Status.Key, _desire.Revision));
        }
        int ready = alive.Count(isReady);
        _loads[component] = [.. alive.Where(isReady).Select(stage => stage.Status.Load)];
        // What is on a node that is drained goes on until others have taken over.
        foreach (StageView leaving in own.Where(stage => ready >= wanted && stage.Status.State == StageState.Ready && IsLeaving(stage)))
        {
            _actions.Add(new StageAction.Drain(leaving.Kind, leaving.Status.Key));
        }
        foreach (StageView failed in failures)
        {
            _problem ??= $"{component}: {failed.Status.Problem}";
            _actions.Add(new StageAction.Unload(failed.Kind, failed.Status.Key, IsFailed: !failed.IsBroken));
        }
        _problem ??= own.Select(stage => stage.Status.Problem).FirstOrDefault(problem => problem is not null);
        _components.Add(new ComponentStatus(component, wanted, ready));
    }

    private void Place(StageSpec spec)
    {
        bool fused = spec.Deployment.Fused ?? NodeChooser.CountUsable(_nodes) <= 1;
        string[] near = fused && spec.Kind == StageKind.Encoder
            ? [.. Alive(Backbones(_desire.Revision)).Select(stage => stage.Status.Node).Distinct()]
            : [];
        if (fused && spec.Kind == StageKind.Encoder && near.Length == 0)
        {
            return; // when the backbone has its place
        }
        IReadOnlyList<string> nodes = NodeChooser.Choose(_nodes, spec, near);
        if (nodes.Count == 0)
        {
            string room = spec.FurtherDevices == 0
                ? $"{spec.Bytes} bytes free on {spec.Device}"
                : $"{spec.DeviceCount} GPUs in a row, as tensor_parallel_size asks, with {spec.Bytes} bytes free on each from {spec.Device} on";
            _problem ??= NodeChooser.CountUsable(_nodes) == 0
                ? $"no node is in service for {spec.Component} of '{_model}': those that run stages are being drained; start another silo"
                : $"no node has {room} for {spec.Component} of '{_model}' (role {Word(spec, component => component.Role)}, zone {Word(spec, component => component.Zone)})";
            return;
        }
        _actions.Add(new StageAction.Place(spec, nodes));
        Expect(spec, nodes[0]);
    }

    // What is placed later in this plan sees what was placed before.
    private void Expect(StageSpec spec, string address)
    {
        int index = Array.FindIndex(_nodes, node => node.Status.Address == address);
        NodeView node = _nodes[index];
        IReadOnlyList<string> taken = NodeChooser.Best(node, spec).Devices;
        StageView coming = new()
        {
            Kind = spec.Kind,
            Digest = spec.Digest,
            Status = new StageStatus { Key = spec.Key, Models = [_model], Revision = spec.Revision, Component = spec.Component, Replica = spec.Replica, Node = address },
        };
        _nodes[index] = new NodeView(
            node.Status with
            {
                Devices = [.. node.Status.Devices.Select(device => taken.Contains(device.Name) ? device with { ReservedBytes = device.ReservedBytes + spec.Bytes } : device)],
            },
            [.. node.Stages, coming]);
    }

    private static string Word(StageSpec spec, Func<ComponentDeployment, string?> part) => part(spec.Deployment.Component(spec.Component)) ?? "any";

    // A first revision serves as soon as it can; a later one when it is as strong as it should be, or the earlier one is gone.
    private bool CanServe()
    {
        bool first = _desire.ServingRevision is not { } serving || serving == _desire.Revision
            || !Backbones(serving).Any(stage => stage.Status.State == StageState.Ready);
        return _components.All(component => component.Ready >= (first ? 1 : component.Desired));
    }

    // What belongs to neither the wanted nor the serving revision ends when its requests have.
    private void EndOthers(string? serving)
    {
        bool IsOld(string revision) => revision != serving && (_desire.Deployment is null || revision != _desire.Revision);
        foreach (StageView stage in _stages.Where(stage => stage.Kind is StageKind.Backbone or StageKind.Generator && stage.Status.Models.Contains(_model)))
        {
            if (IsOld(stage.Status.Revision) && stage.Status.State is StageState.Ready or StageState.Loading)
            {
                _actions.Add(new StageAction.Drain(stage.Kind, stage.Status.Key));
            }
            else if (IsOld(stage.Status.Revision) && stage.Status.State == StageState.Failed || IsDrained(stage))
            {
                _actions.Add(new StageAction.Unload(stage.Kind, stage.Status.Key, IsFailed: false));
            }
        }
        // Shards whose first one is gone or has failed.
        foreach (StageView shard in _stages.Where(stage => stage.Kind == StageKind.Shard && stage.Status.Models.Contains(_model)))
        {
            string backbone = shard.Status.Key[..shard.Status.Key.LastIndexOf('/')];
            if (!_stages.Any(stage => stage.Kind == StageKind.Backbone && stage.Status.Key == backbone && stage.Status.State != StageState.Failed))
            {
                _actions.Add(new StageAction.Unload(StageKind.Shard, shard.Status.Key, IsFailed: false));
            }
        }
        foreach (StageView stage in _stages.Where(stage => stage.Kind == StageKind.Encoder))
        {
            foreach (EncoderUse use in stage.Uses.Where(use => use.Model == _model && IsOld(use.Revision)))
            {
                _actions.Add(new StageAction.Detach(stage.Kind, stage.Status.Key, use.Revision));
            }
            if (IsDrained(stage))
            {
                _actions.Add(new StageAction.Unload(stage.Kind, stage.Status.Key, IsFailed: false));
            }
        }
    }

    private static bool IsReady(StageView stage) => stage.Status.State == StageState.Ready;

    private static bool IsDrained(StageView stage) => stage.Status is { State: StageState.Draining, Load.QueueUsed: 0 };
}
