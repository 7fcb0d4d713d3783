using MmCluster.Cluster.Nodes;
using MmCluster.Cluster.Placement;
using MmCluster.Cluster.Stages;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.TensorLink.Channels;
using MmCluster.Cluster.Wire;
using MmCluster.Models;
using Orleans.Concurrency;
using Orleans.Placement;
using Orleans.Runtime.Placement;

namespace MmCluster.Cluster.Grains;

/// <summary>The part that all stages' grains share: a shell around the stage that this process hosts.</summary>
internal abstract class StageGrain(StageHost host, NodeLedger ledger) : Grain
{
    protected StageHost Host => host;

    protected string Key => this.GetPrimaryKeyString();

    /// <summary>Only checks that there is a place for it: a stage is loaded by its planner alone.</summary>
    public override Task OnActivateAsync(CancellationToken cancellationToken) => host.Has(Key) || ledger.Find(Key) is not null
        ? Task.CompletedTask
        : throw new StageNotPlacedException(Key);

    public Task LoadAsync(StageSpec spec)
    {
        // The hint is this stage's: calls that loading makes to other stages must not be placed by it.
        RequestContext.Remove(IPlacementDirector.PlacementHintKey);
        if (host.Has(Key))
        {
            host.Attach(spec);
        }
        else
        {
            host.Load(spec);
        }
        return Task.CompletedTask;
    }

    public Task DrainAsync()
    {
        host.Drain(Key);
        return Task.CompletedTask;
    }

    public Task<bool> DetachAsync(string model, string revision) => Task.FromResult(host.Detach(Key, model, revision));

    public async Task UnloadAsync()
    {
        await host.UnloadAsync(Key);
        DeactivateOnIdle();
    }
}

/// <inheritdoc/>
[GrainType("mm.encoder"), StagePlacement, KeepAlive, Immovable, Reentrant]
internal sealed class EncoderGrain(StageHost host, NodeLedger ledger) : StageGrain(host, ledger), IEncoderGrain
{
    // Well below the time that a grain call may take.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    private EncoderStage Stage => Host.Find<EncoderStage>(Key);

    public Task SubmitAsync(EncodeMessage message)
    {
        Stage.Submit(message);
        return Task.CompletedTask;
    }

    public async Task<EncodeReply> ResultAsync(string request, int item) => new(await Stage.ResultAsync(request, item, Patience));

    public Task RenewAsync(string[] requests)
    {
        Stage.Renew(requests);
        return Task.CompletedTask;
    }

    public Task ReleaseAsync(string[] requests)
    {
        Stage.Release(requests);
        return Task.CompletedTask;
    }
}

/// <inheritdoc/>
[GrainType("mm.backbone"), StagePlacement, KeepAlive, Immovable, Reentrant]
internal sealed class BackboneGrain(StageHost host, NodeLedger ledger) : StageGrain(host, ledger), IBackboneGrain
{
    // Well below the time that a grain call may take.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(8);

    private BackboneStage Stage => Host.Find<BackboneStage>(Key);

    public Task SubmitAsync(GenerationMessage message)
    {
        Stage.Submit(message);
        return Task.CompletedTask;
    }

    public Task CancelAsync(string gateway, long[] handles) => Stage.CancelAsync(gateway, handles).WaitAsync(Patience);

    public async Task SupplyAsync(string gateway, long handle, int item, TensorRef features)
    {
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            await Stage.SupplyAsync(gateway, handle, item, features, patience.Token);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested)
        {
            throw new MmException(MmErrorCode.Unavailable, $"the features of item {item} did not arrive within {Patience.TotalSeconds} s") { Stage = Key };
        }
    }

    public IAsyncEnumerable<StepBatch> ReadAsync(string gateway, long after, CancellationToken cancellationToken) =>
        Stage.ReadAsync(gateway, after, cancellationToken);
}

/// <inheritdoc/>
[GrainType("mm.shard"), StagePlacement, KeepAlive, Immovable, Reentrant]
internal sealed class BackboneShardGrain(StageHost host, NodeLedger ledger) : StageGrain(host, ledger), IBackboneShardGrain
{
    // Well below the time that a grain call may take.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(8);

    private ShardStage Stage => Host.Find<ShardStage>(Key);

    public Task<ShardFacts?> OfferAsync() => Task.FromResult(Stage.Offer);

    public Task<ChannelRef> ExpectAsync(int frames, int rows, int width) => Task.FromResult(Stage.Expect(new ChannelShape(frames, rows, width)));

    public async Task ConnectAsync(ChannelRef next)
    {
        using var patience = new CancellationTokenSource(Patience);
        await Stage.ConnectAsync(next, patience.Token);
    }
}

/// <inheritdoc/>
[GrainType("mm.generator"), StagePlacement, KeepAlive, Immovable, Reentrant]
internal sealed class GeneratorGrain(StageHost host, NodeLedger ledger) : StageGrain(host, ledger), IGeneratorGrain
{
    // Well below the time that a grain call may take.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    private GeneratorStage Stage => Host.Find<GeneratorStage>(Key);

    public Task SubmitAsync(GenerateMessage message)
    {
        Stage.Submit(message);
        return Task.CompletedTask;
    }

    public async Task<GenerateReply> ResultAsync(string request, int item) => await Stage.ResultAsync(request, item, Patience) ?? new GenerateReply(null, "");

    public Task RenewAsync(string[] requests)
    {
        Stage.Renew(requests);
        return Task.CompletedTask;
    }

    public Task ReleaseAsync(string[] requests)
    {
        Stage.Release(requests);
        return Task.CompletedTask;
    }
}
