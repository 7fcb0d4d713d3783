using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Status;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.Cluster;

/// <summary>A backbone whose layers are on two nodes.</summary>
public sealed class PipelineTests
{
    [Fact]
    public async Task Two_shards_give_the_ids_of_one_and_survive_the_loss_of_either_node()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(4);
        await cluster.DeployAsync(Mini("whole", shards: 1));
        await cluster.DeployAsync(Mini("cut", shards: 2));
        ModelRequest[] requests = [.. Enumerable.Range(0, 8).Select(i => new ModelRequest
        {
            Id = $"r{i}",
            Input = new ModelInput.Tokens(Enumerable.Range(10, 20 + i).ToArray()),
            Sampling = new SamplingParameters { Seed = (ulong)i, MaxTokens = 200, IgnoreEos = true },
        })];
        List<SequenceOutput>[] expected = await Task.WhenAll(requests.Select(request => cluster.GenerateAsync("whole", request)));
        StageStatus[] parts = PartsOf(await cluster.StatusAsync());
        Assert.Equal(2, parts.Select(part => part.Node).Distinct().Count());
        foreach (int lost in (int[])[1, 0])
        {
            Task<List<SequenceOutput>>[] streams = [.. requests.Select(request => cluster.GenerateAsync("cut", request))];
            await cluster.UntilAsync(known => known.Stages.Any(stage => stage.Key.StartsWith("cut@", StringComparison.Ordinal) && stage.Load.Running > 0), "nothing runs");
            await cluster.KillAsync(cluster.SiloOf(PartsOf(await cluster.StatusAsync()).Single(part => part.Shard == lost).Node));
            for (int i = 0; i < streams.Length; i++)
            {
                Assert.Equal(TestCluster.Ids(expected[i]), TestCluster.Ids(await streams[i]));
            }
        }
    }

    private static StageStatus[] PartsOf(ClusterStatus status) => [.. status.Stages.Where(stage => stage.Key.StartsWith("cut@", StringComparison.Ordinal))];

    private static ModelDeployment Mini(string name, int shards) => new()
    {
        Name = name,
        Source = "mini",
        Dtype = DType.F32,
        PipelineParallelSize = shards,
        Limits = new EngineLimits { MaxNumSeqs = 16, MaxNumBatchedTokens = 512 },
    };
}
