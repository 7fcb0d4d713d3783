using MmCluster.EndToEnd.Tests.Harness;
using MmCluster.Protos.V1;

namespace MmCluster.EndToEnd.Tests;

/// <summary>Processes of the six are killed, with kill -9, while they work.</summary>
public sealed class FailureTests
{
    private const int Count = 32;
    private const int Tokens = 96;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>An encoder's silo goes while pictures are encoded, and a silo of the backbone's second shard while tokens come.</summary>
    [Fact]
    public async Task Streams_of_killed_silos_end_complete_with_the_text_they_would_have_had()
    {
        await using var cluster = new ProcessCluster();
        ClusterGateway gateway = await SixProcesses.StartAsync(cluster);
        byte[] picture = await File.ReadAllBytesAsync(SixProcesses.Picture, Stop);
        Streamed[] expected = await Task.WhenAll(Enumerable.Range(0, Count).Select(i => Streams.ReadAsync(gateway, Streams.Long(i, Tokens, picture), cancellationToken: Stop)));
        Assert.All(expected, stream => Assert.Equal((Tokens, FinishReason.Length), (stream.Ids.Count, stream.Finish)));
        await gateway.UntilAsync(status => status.LeasedBytes() == 0, "the baseline is not reached", Patience);

        ClusterStatus before = await gateway.Client.StatusAsync(Stop);
        int tokens = 0;
        TaskCompletionSource some = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource half = new(TaskCreationOptions.RunContinuationsAsynchronously);
        void Note(int more)
        {
            int all = Interlocked.Add(ref tokens, more);
            if (all > 8)
            {
                some.TrySetResult();
            }
            if (all > Count * Tokens / 3)
            {
                half.TrySetResult();
            }
        }
        Task<Streamed>[] streams = [.. Enumerable.Range(0, Count).Select(i => Streams.ReadAsync(gateway, Salted(i, picture), Note, Stop))];
        Task all = Task.WhenAll(streams);
        // Whoever fails early tells more than whoever waits for it.
        await await Task.WhenAny(some.Task, all);
        await cluster.ProcessOf(before, before.Stages.First(stage => stage.Component == "vision_tower")).KillAsync();
        await await Task.WhenAny(half.Task, all);
        await cluster.ProcessOf(before, before.Stages.Single(stage => stage is { Component: "backbone", Shard: 1 })).KillAsync();
        await all;
        Assert.True(tokens >= Count * Tokens);
        for (int i = 0; i < streams.Length; i++)
        {
            Streamed got = await streams[i];
            Assert.Equal(expected[i].Ids, got.Ids);
            Assert.Equal(expected[i].Text, got.Text);
        }
        await gateway.UntilAsync(status => status.LeasedBytes() == 0 && status.IsIdle(), "something is still held", Patience);
        await gateway.UntilAsync(
            status => status.Models[0].Components.Single(component => component.Name == "backbone") is { Desired: 1, Ready: 1 }, "the backbone is not whole again", Patience);
    }

    /// <summary>Its clients are gone with it; nobody is left who could cancel.</summary>
    [Fact]
    public async Task Work_of_a_killed_gateway_is_freed_at_once()
    {
        // Timers free it after 25 s at the earliest: this is sooner, on a busy machine, too.
        TimeSpan soon = TimeSpan.FromSeconds(10);
        await using var cluster = new ProcessCluster();
        ClusterGateway other = await SixProcesses.StartAsync(cluster);
        ClusterGateway killed = await cluster.StartGatewayAsync("killed");
        await killed.ServesAsync("mini", Stop);
        byte[] picture = await File.ReadAllBytesAsync(SixProcesses.Picture, Stop);
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task[] lost = [.. Enumerable.Range(0, Count).Select(i => Streams.ReadAsync(killed, Streams.Long(i, 600, picture), _ => begun.TrySetResult(), Stop))];
        Task<Streamed> kept = Streams.ReadAsync(other, Streams.Long(100, 200, picture), cancellationToken: Stop);
        await begun.Task;
        await other.UntilAsync(status => status.LeasedBytes() > 0 && status.Stages.Any(stage => stage.QueueUsed > Count / 2), "its work does not begin", Patience);
        await killed.Process.KillAsync();
        long start = TimeProvider.System.GetTimestamp();
        await other.UntilAsync(status => status.Stages.All(stage => stage.QueueUsed <= 1), "its work is not freed", soon);
        TestContext.Current.TestOutputHelper?.WriteLine($"freed within {TimeProvider.System.GetElapsedTime(start).TotalMilliseconds:0} ms");
        foreach (Task stream in lost)
        {
            await Assert.ThrowsAnyAsync<Exception>(() => stream);
        }
        // A gateway's death ends its own streams and nothing else.
        Assert.Equal(200, (await kept).Ids.Count);
        await Release.IsBaselineAsync(other);
    }

    // Nothing from the first round's caches: encoders and prefills work again.
    private static GenerateRequest Salted(int i, byte[] picture)
    {
        GenerateRequest request = Streams.Long(i, Tokens, picture);
        request.CacheSalt = "again";
        return request;
    }
}
