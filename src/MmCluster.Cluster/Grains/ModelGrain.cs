using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Placement;
using MmCluster.Cluster.Sources;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.Wire;
using MmCluster.Models;
using Orleans.Concurrency;

namespace MmCluster.Cluster.Grains;

/// <summary>
/// Keeps what runs of a model as it should be: it looks at the nodes every now and then and at once when told, has a <see cref="ModelPlanner"/> decide, and
/// carries the plan out. It may die at any moment: the next activation reads the state and looks again.
/// </summary>
[GrainType("mm.model"), KeepAlive, Reentrant]
internal sealed partial class ModelGrain(
    ModelSource source, ClusterView cluster, TimeProvider time, IHostApplicationLifetime host, ILogger<ModelGrain> logger) : Grain<ModelState>, IModelGrain
{
    private static readonly TimeSpan Hurry = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Calm = TimeSpan.FromSeconds(1);

    private readonly LongPoll _poll = new(time, host.ApplicationStopping);
    private readonly Autoscaler _autoscaler = new(time);
    private readonly long _firstVersion = time.GetUtcNow().UtcTicks;
    private ModelRoutes? _routes;
    private ModelPlan? _plan;
    private PlanRunner? _runner;
    private IGrainTimer? _timer;
    private string? _problem;
    private string? _lastFailure;
    private long _changes;
    private bool _looking;
    private bool _lookAgain;

    private string Name => this.GetPrimaryKeyString();

    private ModelRoutes Routes => _routes ?? Publish(_plan);

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _runner = new PlanRunner(GrainFactory, Name, time);
        _timer = this.RegisterGrainTimer(LookAsync, new GrainTimerCreationOptions(TimeSpan.Zero, Calm) { Interleave = true });
        return Task.CompletedTask;
    }

    public async Task DeployAsync(ModelDeployment deployment)
    {
        deployment.Check();
        if (State.Deployment is null)
        {
            State.Created = time.GetUtcNow();
        }
        State.Deployment = deployment;
        await WriteStateAsync();
        await GrainFactory.GetGrain<ICatalogGrain>(ICatalogGrain.Key).AddAsync(Name);
        LookSoon();
    }

    public async Task RemoveAsync()
    {
        State.Deployment = null;
        State.Serving = null;
        State.Scaled.Clear();
        await WriteStateAsync();
        await GrainFactory.GetGrain<ICatalogGrain>(ICatalogGrain.Key).RemoveAsync(Name);
        LookSoon();
    }

    public async Task<int> ScaleAsync(string component, int replicas)
    {
        ModelDeployment deployment = State.Deployment ?? throw new MmException(MmErrorCode.NotFound, $"the model '{Name}' is not deployed") { Param = "model" };
        ComponentDeployment said = deployment.Component(component);
        ModelStages stages = await Task.Run(() => source.StagesOf(deployment));
        string[] known =
        [
            ModelDeployment.BackboneComponent, .. stages.Encoders.Select(encoder => encoder.Component), .. stages.Generators.Select(generator => generator.Component),
        ];
        if (!known.Contains(component))
        {
            throw new MmException(MmErrorCode.NotFound, $"'{Name}' has no component '{component}'; it has: {string.Join(", ", known)}") { Param = "component" };
        }
        if (replicas < said.MinReplicas || replicas > (said.MaxReplicas ?? 1024))
        {
            string range = $"between {said.MinReplicas} and {said.MaxReplicas ?? 1024}";
            throw new MmException(MmErrorCode.InvalidArgument, $"{replicas} replicas of '{component}' are not {range}") { Param = "replicas" };
        }
        int before = Desire(deployment, stages).Replicas(component);
        State.Scaled[component] = replicas;
        await WriteStateAsync();
        LookSoon();
        return before;
    }

    public async Task<ModelRoutes> RoutesAsync(long known)
    {
        if (_routes is null)
        {
            await LookAsync();
        }
        if (Routes.Version == known)
        {
            await _poll.WaitAsync();
        }
        return Routes;
    }

    public Task<ModelStatus> StatusAsync() => Task.FromResult(new ModelStatus(
        Name,
        State.Deployment is { } deployment ? ModelSource.RevisionOf(deployment) : "",
        _plan?.ServingRevision,
        _plan?.Components ?? [],
        _problem));

    /// <summary>
    /// One round: look, decide, act. Rounds never overlap; one that is asked for meanwhile follows. None begins on a silo that stops, which would wait for it:
    /// calls to others that go down with it take their time.
    /// </summary>
    public async Task LookAsync()
    {
        if (host.ApplicationStopping.IsCancellationRequested)
        {
            return;
        }
        if (_looking)
        {
            _lookAgain = true;
            return;
        }
        _looking = true;
        try
        {
            do
            {
                _lookAgain = false;
                await LookOnceAsync();
            }
            while (_lookAgain && !host.ApplicationStopping.IsCancellationRequested);
            _lastFailure = null;
        }
        catch (Exception error)
        {
            if (_lastFailure != error.Message)
            {
                LogFailed(error, Name);
            }
            _problem = _lastFailure = error.Message;
            Publish(_plan);
        }
        finally
        {
            _looking = false;
        }
        TimeSpan next = _plan is { IsSettled: true } && (State.Deployment is not null || _plan.IsGone) ? Calm : Hurry;
        _timer?.Change(next, next);
        if (_plan is { IsGone: true } && State.Deployment is null)
        {
            DeactivateOnIdle();
        }
    }

    private async Task LookOnceAsync()
    {
        IReadOnlyList<NodeView> nodes = await cluster.ViewAsync(GrainFactory);
        ModelDeployment? deployment = State.Deployment;
        // Weights are hashed here: not on the grain's turn.
        ModelStages? stages = deployment is null ? null : await Task.Run(() => source.StagesOf(deployment));
        ModelPlan plan = ModelPlanner.Plan(Name, Desire(deployment, stages), nodes);
        if (deployment is not null && deployment != State.Serving && plan.ServingRevision == ModelSource.RevisionOf(deployment))
        {
            State.Serving = deployment;
            await WriteStateAsync();
        }
        _plan = plan;
        _problem = plan.Problem;
        Publish(plan);
        await _runner!.RunAsync(plan.Actions, host.ApplicationStopping);
        await ScaleByLoadAsync(plan);
    }

    private async Task ScaleByLoadAsync(ModelPlan plan)
    {
        // A rollout's new replicas have no load yet; the old ones' is not theirs.
        if (State.Deployment is not { } deployment || plan.ServingRevision != ModelSource.RevisionOf(deployment))
        {
            return;
        }
        bool changed = false;
        foreach (ComponentStatus component in plan.Components)
        {
            if (_autoscaler.Decide(component.Name, deployment.Component(component.Name), component.Desired, plan.Loads[component.Name]) is { } replicas)
            {
                LogScaled(Name, component.Name, component.Desired, replicas);
                State.Scaled[component.Name] = replicas;
                changed = true;
            }
        }
        if (changed)
        {
            await WriteStateAsync();
            _lookAgain = true;
        }
    }

    private ModelDesire Desire(ModelDeployment? deployment, ModelStages? stages) => new(
        deployment,
        deployment is null ? "" : ModelSource.RevisionOf(deployment),
        stages,
        State.Serving is { } serving ? ModelSource.RevisionOf(serving) : null,
        State.Scaled);

    // Routes have a new version only when something in them is new, so that gateways sleep while nothing happens.
    private ModelRoutes Publish(ModelPlan? plan)
    {
        ModelRoutes routes = RoutesOf(plan?.Serving) with
        {
            Problem = _problem,
            Removed = State.Deployment is null,
            Others = plan?.Coming is { } coming ? [RoutesOf(coming)] : [],
        };
        if (_routes is null || !routes.HasSameRoutes(_routes))
        {
            _changes++;
            _routes = routes with { Version = _firstVersion + _changes };
            _poll.Change();
        }
        return _routes;
    }

    private ModelRoutes RoutesOf(RevisionPlan? plan) => new()
    {
        Version = _firstVersion + _changes,
        Model = Name,
        Revision = plan?.Revision ?? "",
        Deployment = plan is null ? null : State.Deployment is { } wanted && ModelSource.RevisionOf(wanted) == plan.Revision ? wanted : State.Serving,
        Created = State.Created,
        Facts = plan?.Facts,
        Backbones = plan?.Backbones ?? [],
        Encoders = plan?.Encoders ?? [],
        Generators = plan?.Generators ?? [],
    };

    private void LookSoon()
    {
        if (_looking)
        {
            _lookAgain = true;
        }
        else
        {
            _timer?.Change(TimeSpan.Zero, Hurry);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Component} of {Model} is scaled by its load from {Before} to {After} replicas.")]
    private partial void LogScaled(string model, string component, int before, int after);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Model {Model} could not be looked after; it is tried again.")]
    private partial void LogFailed(Exception error, string model);
}
