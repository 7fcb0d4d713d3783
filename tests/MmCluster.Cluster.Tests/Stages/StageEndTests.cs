using MmCluster.Cluster.Stages;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Engine.Generation;
using MmCluster.Engine.Simulation;
using MmCluster.Models;

namespace MmCluster.Cluster.Tests.Stages;

/// <summary>Stages that have ended, or are about to: nobody waits for them for ever.</summary>
public sealed class StageEndTests : IAsyncLifetime
{
    private readonly TensorLinkEndpoint _link = new(new TensorLinkOptions { ClusterSecret = "secret", SlabBytes = 1 << 20 }, TimeProvider.System);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _link.DisposeAsync();

    [Fact]
    public async Task A_gateway_that_comes_to_a_broken_backbone_gets_the_end_of_its_stream()
    {
        var engine = new Engine.Engine(new SimulatedExecutor(TestCluster.Profile(0), TimeProvider.System), new EngineOptions());
        await using BackboneStage stage = new(
            "sim@r/0", engine, engine.Statistics, new StageTimes(), new BackboneFacts(100, 1000, DecoderKind.CausalLm, 16), 64, 0, null, _link, TimeProvider.System);
        Task<int> early = CountAsync(stage, "early");
        stage.Break(new MmException(MmErrorCode.Unavailable, "a shard is lost"));
        Assert.Equal(1, await early);
        Assert.Equal(1, await CountAsync(stage, "late"));
    }

    [Fact]
    public async Task A_generator_is_not_disposed_of_under_what_it_makes_and_nothing_of_it_is_leased()
    {
        SlowGenerator generator = new();
        GeneratorStage stage = new("d/0", generator, 4, _link, TimeProvider.System);
        stage.Submit(new GenerateMessage { Request = "r", Item = 0, SignalTokens = [1], Seed = 1 });
        Task disposing = stage.DisposeAsync().AsTask();
        Assert.False(disposing.IsCompleted || generator.IsDisposed);
        generator.Made.SetResult(new MediaOutput("text/plain", new byte[10]));
        await disposing;
        Assert.True(generator.IsDisposed);
        Assert.Equal(0, _link.LeasedBytes);
    }

    private static async Task<int> CountAsync(BackboneStage stage, string gateway)
    {
        int count = 0;
        await foreach (StepBatch _ in stage.ReadAsync(gateway, 0, Stop))
        {
            count++;
        }
        return count;
    }

    /// <summary>Does not listen when it is told to stop.</summary>
    private sealed class SlowGenerator : IMediaGenerator
    {
        public TaskCompletionSource<MediaOutput> Made { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsDisposed { get; private set; }

        public long Bytes => 0;

        public Task<MediaOutput> GenerateAsync(GenerationCondition condition, IProgress<GenerationStep> progress, CancellationToken cancellationToken) => Made.Task;

        public void Dispose() => IsDisposed = true;
    }
}
