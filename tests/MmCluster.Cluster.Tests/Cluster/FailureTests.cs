using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Grains;
using MmCluster.Cluster.Status;
using MmCluster.Engine;
using MmCluster.Models;

namespace MmCluster.Cluster.Tests.Cluster;

/// <summary>What is lost on the way, and what is moved on purpose.</summary>
public sealed class FailureTests
{
    [Fact]
    public async Task Streams_of_a_killed_silo_go_on_elsewhere_with_no_token_lost_or_repeated()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(3);
        await cluster.DeployAsync(TwoReplicas(stepMilliseconds: 10));
        ClusterStatus status = await cluster.UntilAsync(known => known.Stages.Count(stage => stage.State == StageState.Ready) == 2, "two replicas are not ready");
        Task<List<SequenceOutput>>[] streams = [.. Enumerable.Range(0, 16).Select(i => cluster.GenerateAsync("sim", TestCluster.Request(400, seed: i)))];
        status = await cluster.UntilAsync(known => known.Stages.Sum(stage => stage.Load.Running) == streams.Length, "the streams do not run");
        await cluster.KillAsync(cluster.SiloOf(status.Stages.MaxBy(stage => stage.Load.Running)!.Node));
        for (int i = 0; i < streams.Length; i++)
        {
            List<SequenceOutput> entries = await streams[i];
            Assert.Equal(await TestCluster.AloneAsync(TestCluster.Request(400, seed: i)), TestCluster.Ids(entries));
            Assert.Equal(FinishReason.Length, entries[^1].Finish);
        }
        await cluster.UntilAsync(known => known.Stages.Count(stage => stage.State == StageState.Ready) == 2, "the lost replica is not replaced");
    }

    [Fact]
    public async Task A_stray_call_loads_nothing()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        StageNotPlacedException error = await Assert.ThrowsAsync<StageNotPlacedException>(
            () => cluster.Grains.GetGrain<IBackboneGrain>("nobody@r/0").CancelAsync("g", [1]));
        Assert.Equal("nobody@r/0", error.Stage);
        Assert.Empty((await cluster.StatusAsync()).Stages);
    }

    [Fact]
    public async Task A_drain_lets_a_long_stream_end_and_moves_the_rest()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(2);
        await cluster.DeployAsync(TestCluster.Simulated(stepMilliseconds: 10));
        StageStatus before = Assert.Single((await cluster.StatusAsync()).Stages);
        Task<List<SequenceOutput>> stream = cluster.GenerateAsync("sim", TestCluster.Request(200));
        await cluster.UntilAsync(known => known.Stages.Any(stage => stage.Load.Running > 0), "the stream does not run");
        DrainProgress last = new(0, 0, false);
        await foreach (DrainProgress progress in cluster.Models.DrainAsync(before.Node, TestContext.Current.CancellationToken))
        {
            last = progress;
        }
        Assert.True(last.Done);
        Assert.Equal(await TestCluster.AloneAsync(TestCluster.Request(200)), TestCluster.Ids(await stream));
        StageStatus after = Assert.Single((await cluster.StatusAsync()).Stages);
        Assert.NotEqual(before.Node, after.Node);
        Assert.Single(TestCluster.Ids(await cluster.GenerateAsync("sim", TestCluster.Request(1)))[0]);
    }

    [Fact]
    public async Task A_rollout_under_load_fails_nothing()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(2);
        ClusterModel first = await cluster.DeployAsync(TestCluster.Simulated(stepMilliseconds: 2));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        int served = 0;
        Task[] load = [.. Enumerable.Range(0, 8).Select(async i =>
        {
            while (!stop.IsCancellationRequested)
            {
                List<SequenceOutput> entries = await cluster.GenerateAsync("sim", TestCluster.Request(20, seed: i));
                Assert.Equal(FinishReason.Length, entries[^1].Finish);
                Interlocked.Increment(ref served);
            }
        })];
        await cluster.Models.DeployAsync(TestCluster.Simulated(stepMilliseconds: 2) with { Revision = "next" }, TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(() => cluster.Find("sim")!.Revision.StartsWith("next-", StringComparison.Ordinal), "the new revision does not serve");
        await cluster.UntilAsync(known => known.Stages is [{ State: StageState.Ready } only] && only.Revision != first.Revision, "the old revision is still there");
        int before = served;
        await Eventually.TrueAsync(() => served > before + 20, "nothing is served any more");
        await stop.CancelAsync();
        await Task.WhenAll(load);
    }

    [Fact]
    public async Task Scale_survives_a_restart_of_every_process()
    {
        string folder = Directory.CreateTempSubdirectory("mm-state-").FullName;
        await using (TestCluster cluster = await TestCluster.StartAsync(2, folder))
        {
            await cluster.DeployAsync(TestCluster.Simulated());
            Assert.Equal(1, await cluster.Models.ScaleAsync("sim", ModelDeployment.BackboneComponent, 2, TestContext.Current.CancellationToken));
            await cluster.UntilAsync(known => known.Stages.Count(stage => stage.State == StageState.Ready) == 2, "it did not scale");
        }
        await using (TestCluster cluster = await TestCluster.StartAsync(2, folder))
        {
            await cluster.ReadyAsync("sim");
            await cluster.UntilAsync(known => known.Stages.Count(stage => stage.State == StageState.Ready) == 2, "the scale is forgotten");
        }
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Scaling_what_is_not_there_is_refused_by_name()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.DeployAsync(TestCluster.Simulated());
        MmException error = await Assert.ThrowsAsync<MmException>(() => cluster.Models.ScaleAsync("sim", "ear", 2, TestContext.Current.CancellationToken));
        Assert.Equal((MmErrorCode.NotFound, "component"), (error.Code, error.Param));
        error = await Assert.ThrowsAsync<MmException>(() => cluster.Models.ScaleAsync("none", "backbone", 2, TestContext.Current.CancellationToken));
        Assert.Equal(MmErrorCode.NotFound, error.Code);
    }

    [Fact]
    public async Task A_removed_model_is_gone()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.DeployAsync(TestCluster.Simulated());
        await cluster.Models.RemoveAsync("sim", TestContext.Current.CancellationToken);
        await cluster.UntilAsync(known => known.Stages.Count == 0 && known.Models.Count == 0, "it is still there");
        await Eventually.TrueAsync(() => cluster.Models.Models.Count == 0, "the gateway still knows it");
    }

    [Fact]
    public async Task A_model_that_cannot_be_loaded_says_why()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.Models.DeployAsync(new ModelDeployment { Name = "lost", Source = "no-such-model" }, TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(() => cluster.Find("lost")?.Problem is not null, "no problem is told");
        Assert.Contains("no-such-model", cluster.Find("lost")!.Problem, StringComparison.Ordinal);
        MmException error = await Assert.ThrowsAsync<MmException>(() => cluster.GenerateAsync("lost", TestCluster.Request(1)));
        Assert.Equal(MmErrorCode.Unavailable, error.Code);
    }

    private static ModelDeployment TwoReplicas(double stepMilliseconds) => TestCluster.Simulated(stepMilliseconds: stepMilliseconds) with
    {
        Components = new Dictionary<string, ComponentDeployment> { [ModelDeployment.BackboneComponent] = new() { MinReplicas = 2 } },
    };
}
