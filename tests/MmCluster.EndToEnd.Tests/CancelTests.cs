using MmCluster.EndToEnd.Tests.Harness;
using MmCluster.Protos.V1;

namespace MmCluster.EndToEnd.Tests;

/// <summary>Clients that cancel or vanish, whatever their requests are at: within a second nothing of them is left anywhere, and the next request is served.</summary>
public sealed class CancelTests(SixProcesses six)
{
    private const int Count = 24;

    // A stage that is over before the status tells of it is tried again, with other pictures and prompts.
    private const int Tries = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static int _round;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("queued", false)]
    [InlineData("encoding", false)]
    [InlineData("encoding", true)]
    [InlineData("prefilling", false)]
    [InlineData("prefilling", true)]
    [InlineData("decoding", false)]
    [InlineData("decoding", true)]
    public async Task A_client_that_goes_away_frees_its_work_at_every_stage(string stage, bool vanishes)
    {
        ClusterGateway gateway = await six.GatewayAsync();
        byte[] picture = await File.ReadAllBytesAsync(SixProcesses.Picture, Stop);
        await Release.IsBaselineAsync(gateway);
        for (int attempt = 0; !await LeaveAtAsync(gateway, stage, vanishes, picture); attempt++)
        {
            Assert.True(attempt < Tries, $"no request was found {stage}");
        }
        Assert.Equal(3, (await Streams.ReadAsync(gateway, Picture(5000, 3, picture), cancellationToken: Stop)).Ids.Count);
    }

    [Fact]
    public async Task Requests_that_wait_in_a_queue_go_with_their_clients()
    {
        await using var cluster = new ProcessCluster();
        await cluster.StartSiloAsync("one");
        ClusterGateway gateway = await cluster.StartGatewayAsync("gateway", """
            schema: 1
            models:
              sim:
                simulation: {step_milliseconds: 5, token_microseconds: 0, context_nanoseconds: 0}
                limits: {max_num_seqs: 2, max_num_batched_tokens: 64}
            """);
        await gateway.ServesAsync("sim", Stop);
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        GenerateRequest Request(int tokens) => new()
        {
            Model = "sim",
            Text = "wait",
            Sampling = new SamplingParameters { MaxTokens = tokens, IgnoreEos = true },
            ReturnTokenIds = true,
        };
        Task[] requests = [.. Enumerable.Range(0, 40).Select(_ => Streams.ReadAsync(gateway, Request(3000), cancellationToken: leave.Token))];
        await gateway.UntilAsync(status => status.Stages.Single() is { Running: 2, Waiting: 38 }, "they do not wait", Patience);
        Release release = await Release.WatchAsync(gateway, "sim");
        await leave.CancelAsync();
        await EndAsync(requests);
        await release.CompleteAsync(requests.Length);
        Assert.Equal(2, (await Streams.ReadAsync(gateway, Request(2), cancellationToken: Stop)).Ids.Count);
    }

    // Starts requests, waits until all of them are at work and leaves; whether they were at the stage then.
    private static async Task<bool> LeaveAtAsync(ClusterGateway gateway, string stage, bool vanishes, byte[] picture)
    {
        using var clients = new Leavers(gateway, vanishes, Stop);
        bool begun = false;
        int round = Interlocked.Increment(ref _round) * Count;
        Task[] requests = [.. Enumerable.Range(round, Count).Select(i => clients.ReadAsync(
            stage is "queued" or "encoding" ? Picture(i, 700, picture) : stage == "prefilling" ? Text(i, 120) : i % 2 == 0 ? Picture(i, 700, picture) : Text(i, 1),
            () => Volatile.Write(ref begun, true)))];
        ClusterStatus status = await gateway.UntilAsync(
            status => status.Stages.Single(one => one is { Component: "backbone", Shard: 0 }).QueueUsed == Count && (stage != "decoding" || Volatile.Read(ref begun)),
            "the requests are not taken in", Patience);
        int encoded = status.Stages.Where(one => one.Component == "vision_tower").Sum(one => one.QueueUsed);
        bool there = stage switch
        {
            // Most of them wait behind those that are computed.
            "queued" => encoded > Count / 2,
            "encoding" => encoded > 0,
            "prefilling" => encoded == 0 && !Volatile.Read(ref begun),
            _ => true,
        };
        Release release = await Release.WatchAsync(gateway, "mini");
        await clients.LeaveAsync();
        await EndAsync(requests);
        await release.CompleteAsync(Count);
        return there;
    }

    private static async Task EndAsync(Task[] requests)
    {
        foreach (Task request in requests)
        {
            await Assert.ThrowsAnyAsync<Exception>(() => request.WaitAsync(Patience, Stop));
        }
    }

    private static GenerateRequest Picture(int i, int tokens, byte[] picture) => Streams.Long(i * 2, tokens, picture);

    private static GenerateRequest Text(int i, int repeats) => new()
    {
        Model = "mini",
        Text = string.Concat(Enumerable.Repeat($"{i} and so on. ", repeats)),
        Sampling = new SamplingParameters { Seed = (ulong)i, MaxTokens = 200, IgnoreEos = true },
        ReturnTokenIds = true,
    };
}
