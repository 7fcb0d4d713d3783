using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Stages;
using MmCluster.Cluster.Status;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.Cluster;

/// <summary>A backbone whose layers are split over ranks of one silo.</summary>
public sealed class TensorParallelTests
{
    [Fact]
    public async Task Two_ranks_give_the_ids_of_one_and_are_counted_by_the_ledger()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(2);
        await cluster.DeployAsync(Mini("whole", ranks: null));
        await cluster.DeployAsync(Mini("split", ranks: 2));
        ModelRequest[] requests = [.. Enumerable.Range(0, 4).Select(i => new ModelRequest
        {
            Id = $"r{i}",
            Input = new ModelInput.Tokens(Enumerable.Range(10, 20 + i).ToArray()),
            Sampling = new SamplingParameters { Temperature = 0, MaxTokens = 40, IgnoreEos = true },
        })];
        foreach (ModelRequest request in requests)
        {
            int[][] whole = TestCluster.Ids(await cluster.GenerateAsync("whole", request));
            Assert.Equal(whole, TestCluster.Ids(await cluster.GenerateAsync("split", request)));
            Assert.Equal(40, whole[0].Length);
        }
        ClusterStatus status = await cluster.StatusAsync();
        StageStatus stage = Assert.Single(status.Stages, stage => stage.Key.StartsWith("split@", StringComparison.Ordinal));
        StageStatus other = Assert.Single(status.Stages, stage => stage.Key.StartsWith("whole@", StringComparison.Ordinal));
        // Embedding and norms are with each rank, so the two together take more than the whole.
        long alone = BytesOf(cluster, other), together = BytesOf(cluster, stage);
        Assert.InRange(together, alone + 1, alone * 2);
        Assert.True(status.Nodes.Single(node => node.Address == stage.Node).Devices[0].ReservedBytes >= together);
    }

    [Fact]
    public async Task Heads_that_do_not_divide_are_told()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.Models.DeployAsync(Mini("odd", ranks: 5), TestContext.Current.CancellationToken);
        ClusterStatus status = await cluster.UntilAsync(known => known.Models.Any(model => model.Problem is not null), "a problem was expected");
        Assert.Contains("cannot be split over 5 ranks", Assert.Single(status.Models).Problem, StringComparison.Ordinal);
    }

    private static long BytesOf(TestCluster cluster, StageStatus stage) => cluster.HostOf(stage.Node).Find<BackboneStage>(stage.Key).Bytes;

    private static ModelDeployment Mini(string name, int? ranks) => new()
    {
        Name = name,
        Source = "mini",
        Dtype = DType.F32,
        TensorParallelSize = ranks,
        Limits = new EngineLimits { MaxNumSeqs = 16, MaxNumBatchedTokens = 512, KvCacheMemoryBytes = 64 << 20 },
    };
}
