using MmCluster.EndToEnd.Tests.Harness;
using MmCluster.Protos.V1;

namespace MmCluster.EndToEnd.Tests;

/// <summary>Pipeline shards in two processes of one GPU: rows stay on it, and a killed process leaves nothing hanging or taken.</summary>
public sealed class GpuShardTests
{
    private const int Count = 16;
    private const int Tokens = 200;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_processes_say_what_one_says_and_streams_outlive_a_killed_one()
    {
        Assert.SkipWhen(Tensors.Device.CudaCount == 0, "no GPU");
        Streamed[] expected;
        await using (var alone = new ProcessCluster())
        {
            expected = await ReadAllAsync(await StartAsync(alone, shards: 1));
        }
        await using var cluster = new ProcessCluster();
        ClusterGateway gateway = await StartAsync(cluster, shards: 2);
        ClusterStatus before = await gateway.Client.StatusAsync(Stop);
        long taken = DeviceBytes(before);
        Assert.True(taken > 0, "rows go through the host");
        AssertSame(expected, await ReadAllAsync(gateway));

        int tokens = 0;
        TaskCompletionSource some = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<Streamed[]> all = ReadAllAsync(gateway, more =>
        {
            if (Interlocked.Add(ref tokens, more) > Count * Tokens / 4)
            {
                some.TrySetResult();
            }
        });
        await await Task.WhenAny(some.Task, all);
        await cluster.ProcessOf(before, before.Stages.Single(stage => stage is { Component: "backbone", Shard: 1 })).KillAsync();
        AssertSame(expected, await all);
        await gateway.UntilAsync(
            status => status.Models[0].Components.Single(component => component.Name == "backbone") is { Desired: 1, Ready: 1 } && status.IsIdle(),
            "the backbone is not whole again", Patience);
        await gateway.UntilAsync(status => DeviceBytes(status) == taken, $"{taken} bytes of the GPU were leased", Patience);
        AssertSame(expected, await ReadAllAsync(gateway));
    }

    private static long DeviceBytes(ClusterStatus status) => status.Nodes.Sum(node => node.DeviceLeasedBytes);

    private static void AssertSame(Streamed[] expected, Streamed[] got) => Assert.Equal(expected.Select(stream => stream.Text), got.Select(stream => stream.Text));

    private static Task<Streamed[]> ReadAllAsync(ClusterGateway gateway, Action<int>? seen = null) =>
        Task.WhenAll(Enumerable.Range(0, Count).Select(i => Streams.ReadAsync(gateway, Request(i), seen, Stop)));

    private static GenerateRequest Request(int i) => new()
    {
        Model = "mini",
        Chat = new Chat { Messages = { new ChatMessage { Role = "user", Parts = { new ContentPart { Text = $"What is {i}?" } } } } },
        Sampling = new SamplingParameters { Temperature = 0, Seed = (ulong)i, MaxTokens = Tokens, IgnoreEos = true },
        ReturnTokenIds = true,
    };

    private static async Task<ClusterGateway> StartAsync(ProcessCluster cluster, int shards)
    {
        // A silo a shard and one more.
        await Task.WhenAll(Enumerable.Range(0, shards + 1).Select(i => cluster.StartSiloAsync($"backbone-{i}", "backbone")));
        ClusterGateway gateway = await cluster.StartGatewayAsync("gateway", $$"""
            schema: 1
            models:
              mini:
                source: mini
                dtype: f32
                pipeline_parallel_size: {{shards}}
                fused: false
                limits: {max_num_seqs: 32, kv_cache_memory_bytes: 256MiB}
                components:
                  backbone: {replicas: 1, role: backbone, device: "cuda:0"}
            """);
        await gateway.ServesAsync("mini", Stop);
        return gateway;
    }
}
