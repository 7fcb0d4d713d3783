using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models;

namespace MmCluster.Cluster.Tests.Cluster;

/// <summary>Requests through grains: answers, refusals, ends.</summary>
public sealed class GenerationTests
{
    [Fact]
    public async Task A_request_gives_what_the_engine_alone_gives()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(2);
        ClusterModel model = await cluster.DeployAsync(TestCluster.Simulated());
        Assert.Equal((1000, 4096), (model.VocabularySize, model.MaxModelLength));
        ModelRequest request = TestCluster.Request(maxTokens: 40, choices: 3);
        List<SequenceOutput> entries = await cluster.GenerateAsync("sim", request);
        Assert.Equal(await TestCluster.AloneAsync(request), TestCluster.Ids(entries, 3));
        Assert.All(entries, entry => Assert.Equal(request.Id, entry.RequestId));
        Assert.Equal([40, 40, 40], entries.Where(entry => entry.Finish == FinishReason.Length).Select(entry => entry.Usage!.CompletionTokens));
    }

    [Fact]
    public async Task Many_requests_at_once_each_get_their_own()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(2);
        await cluster.DeployAsync(TestCluster.Simulated(maxQueue: 1000));
        await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
        {
            ModelRequest request = TestCluster.Request(maxTokens: 20, seed: i);
            Assert.Equal(await TestCluster.AloneAsync(request), TestCluster.Ids(await cluster.GenerateAsync("sim", request)));
        }));
    }

    [Fact]
    public async Task Refusals_keep_code_and_fields_across_grains()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.DeployAsync(TestCluster.Simulated());
        ModelRequest bad = TestCluster.Request(1) with { Sampling = new SamplingParameters { TopP = 0 } };
        MmException error = await Assert.ThrowsAsync<MmException>(() => cluster.GenerateAsync("sim", bad));
        Assert.Equal((MmErrorCode.InvalidArgument, "top_p"), (error.Code, error.Param));
        error = await Assert.ThrowsAsync<MmException>(() => cluster.GenerateAsync("other", TestCluster.Request(1)));
        Assert.Equal((MmErrorCode.NotFound, "model"), (error.Code, error.Param));
        Assert.Contains("sim", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_queue_is_an_error_at_once()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.DeployAsync(TestCluster.Simulated(stepMilliseconds: 20, maxQueue: 2));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        IAsyncEnumerator<SequenceOutput>[] running = [Open(cluster, stop.Token), Open(cluster, stop.Token)];
        foreach (IAsyncEnumerator<SequenceOutput> stream in running)
        {
            Assert.True(await stream.MoveNextAsync());
        }
        MmException error = await Assert.ThrowsAsync<MmException>(() => cluster.GenerateAsync("sim", TestCluster.Request(1)));
        Assert.Equal((MmErrorCode.Unavailable, TimeSpan.FromSeconds(1)), (error.Code, error.RetryAfter));
        foreach (IAsyncEnumerator<SequenceOutput> stream in running)
        {
            await stream.DisposeAsync();
        }
        await cluster.UntilAsync(status => status.Stages.All(stage => stage.Load.QueueUsed == 0), "the queue did not empty");
        Assert.Single(TestCluster.Ids(await cluster.GenerateAsync("sim", TestCluster.Request(1)))[0]);
    }

    [Fact]
    public async Task A_client_that_goes_away_frees_its_work_within_a_second()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.DeployAsync(TestCluster.Simulated(stepMilliseconds: 5));
        await using (IAsyncEnumerator<SequenceOutput> stream = Open(cluster, TestContext.Current.CancellationToken))
        {
            Assert.True(await stream.MoveNextAsync());
        }
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        await cluster.UntilAsync(status => status.Stages.All(stage => stage.Load is { QueueUsed: 0, Running: 0, Waiting: 0 }), "work is not freed");
        Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(1), "freeing took a second or more");
    }

    [Fact]
    public async Task A_deadline_ends_a_request_with_DeadlineExceeded()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.DeployAsync(TestCluster.Simulated(stepMilliseconds: 5));
        List<SequenceOutput> entries = await cluster.GenerateAsync(
            "sim", TestCluster.Request(4000) with { Deadline = TimeProvider.System.GetUtcNow() + TimeSpan.FromMilliseconds(300) });
        Assert.Equal(MmErrorCode.DeadlineExceeded, entries[^1].Error?.Code);
    }

    [Fact]
    public async Task A_slow_reader_is_paused_and_loses_nothing()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.DeployAsync(TestCluster.Simulated());
        ModelRequest request = TestCluster.Request(maxTokens: 3000);
        await using IAsyncEnumerator<SequenceOutput> stream =
            cluster.Models.GenerateAsync("sim", request, TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await stream.MoveNextAsync());
        List<SequenceOutput> entries = [stream.Current];
        await cluster.UntilAsync(status => status.Stages.All(stage => stage.Load.QueueUsed == 0), "the request is not paused");
        while (await stream.MoveNextAsync())
        {
            entries.Add(stream.Current);
        }
        Assert.Equal(await TestCluster.AloneAsync(request), TestCluster.Ids(entries));
    }

    private static IAsyncEnumerator<SequenceOutput> Open(TestCluster cluster, CancellationToken cancellationToken) =>
        cluster.Models.GenerateAsync("sim", TestCluster.Request(3000, seed: 9), cancellationToken).GetAsyncEnumerator(cancellationToken);
}
