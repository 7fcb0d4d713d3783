using System.Diagnostics;
using MmCluster.EndToEnd.Tests.Harness;
using MmCluster.Protos.V1;

namespace MmCluster.EndToEnd.Tests;

/// <summary>What operators do while requests run: drain a node, roll a revision out, restart everything.</summary>
public sealed class OperationTests
{
    private const string Slow = """
        schema: 1
        models:
          sim:
            revision: "1"
            simulation: {step_milliseconds: 5, token_microseconds: 0, context_nanoseconds: 0}
        """;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_drain_waits_for_a_long_stream_and_leaves_nothing_on_the_node()
    {
        await using var cluster = new ProcessCluster();
        await Task.WhenAll(cluster.StartSiloAsync("one"), cluster.StartSiloAsync("two"));
        ClusterGateway gateway = await cluster.StartGatewayAsync("gateway", Slow);
        await gateway.ServesAsync("sim", Stop);
        Streamed expected = await Streams.ReadAsync(gateway, Request(0, 400), cancellationToken: Stop);
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<Streamed> stream = Streams.ReadAsync(gateway, Request(0, 400), _ => begun.TrySetResult(), Stop);
        await begun.Task;
        ClusterStatus before = await gateway.Client.StatusAsync(Stop);
        string node = Assert.Single(before.Stages).Node;
        List<DrainEvent> progress = [];
        await foreach (DrainEvent step in gateway.Client.DrainAsync(node, Stop))
        {
            progress.Add(step);
        }
        Assert.True(progress[^1].Done);
        Assert.True(stream.IsCompleted, "the node was empty while the stream ran");
        Assert.Equal(expected.Ids, (await stream).Ids);
        ClusterStatus after = await gateway.Client.StatusAsync(Stop);
        Assert.DoesNotContain(after.Stages, stage => stage.Node == node);
        Assert.Equal(expected.Ids, (await Streams.ReadAsync(gateway, Request(0, 400), cancellationToken: Stop)).Ids);
    }

    [Fact]
    public async Task A_rollout_under_load_fails_no_request()
    {
        await using var cluster = new ProcessCluster();
        await Task.WhenAll(cluster.StartSiloAsync("one"), cluster.StartSiloAsync("two"));
        ClusterGateway gateway = await cluster.StartGatewayAsync("gateway", Slow);
        await gateway.ServesAsync("sim", Stop);
        string first = (await gateway.Client.StatusAsync(Stop)).Models[0].ServingRevision;
        Streamed[] expected = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Streams.ReadAsync(gateway, Request(i, 20), cancellationToken: Stop)));
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        int served = 0;
        Task[] load = [.. expected.Select(async (answer, i) =>
        {
            while (!enough.IsCancellationRequested)
            {
                Assert.Equal(answer.Ids, (await Streams.ReadAsync(gateway, Request(i, 20), cancellationToken: Stop)).Ids);
                Interlocked.Increment(ref served);
            }
        })];
        DeployResponse deployed = await gateway.Client.DeployAsync(Slow.Replace("\"1\"", "\"2\"", StringComparison.Ordinal), cancellationToken: Stop);
        Assert.NotEmpty(deployed.Changes);
        await gateway.UntilAsync(
            status => status.Models[0].ServingRevision is { Length: > 0 } now && now != first && status.Stages.All(stage => stage.Revision == now),
            "the new revision does not serve alone", Patience);
        int before = Volatile.Read(ref served);
        await gateway.UntilAsync(_ => Volatile.Read(ref served) > before + 16, "nothing is served any more", Patience);
        await enough.CancelAsync();
        await Task.WhenAll(load);
    }

    [Fact]
    public async Task A_restart_of_every_process_keeps_what_was_scaled()
    {
        await using var cluster = new ProcessCluster();
        MmProcess[] silos = await Task.WhenAll(cluster.StartSiloAsync("one"), cluster.StartSiloAsync("two"));
        ClusterGateway gateway = await cluster.StartGatewayAsync("gateway", Slow);
        await gateway.ServesAsync("sim", Stop);
        ScaleResponse scaled = await gateway.Client.ScaleAsync("sim", "backbone", 2, Stop);
        Assert.Equal((1, 2), (scaled.Before, scaled.After));
        await gateway.UntilAsync(IsScaled, "the second replica does not come", Patience);
        await gateway.Process.KillAsync();
        await Task.WhenAll(silos.Select(silo => silo.KillAsync()));

        await Task.WhenAll(cluster.StartSiloAsync("three"), cluster.StartSiloAsync("four"));
        ClusterGateway again = await cluster.StartGatewayAsync("gateway-2", Slow);
        await again.ServesAsync("sim", Stop);
        await again.UntilAsync(IsScaled, "the scale is forgotten", Patience);
        Assert.Equal(7, (await Streams.ReadAsync(again, Request(1, 7), cancellationToken: Stop)).Ids.Count);
    }

    [Fact]
    public async Task Processes_that_are_all_stopped_at_once_wait_for_nobody()
    {
        await using var cluster = new ProcessCluster();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(i => cluster.StartSiloAsync($"silo-{i}")));
        ClusterGateway gateway = await cluster.StartGatewayAsync("gateway", Slow);
        await gateway.ServesAsync("sim", Stop);
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(cluster.Processes.Select(process => process.StopAsync()));
        // What an app host gives its processes between Ctrl-C and their kill.
        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.Zero, TimeSpan.FromSeconds(10));
    }

    private static bool IsScaled(ClusterStatus status) =>
        status.Models is [{ Components: [{ Name: "backbone", Desired: 2, Ready: 2 }] }];

    private static GenerateRequest Request(int i, int tokens) => new()
    {
        Model = "sim",
        Text = $"request {i}",
        Sampling = new SamplingParameters { Seed = (ulong)i, MaxTokens = tokens, IgnoreEos = true },
        ReturnTokenIds = true,
    };
}
