using Microsoft.Extensions.DependencyInjection;
using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Hosting;
using MmCluster.Cluster.Nodes;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.Tests.Nodes;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;

namespace MmCluster.Cluster.Tests.Cluster;

/// <summary>Stages on GPUs that are made up: simulated models go wherever they are placed.</summary>
public sealed class GpuPlacementTests
{
    private const long Size = 40L << 30;

    [Fact]
    public async Task Replicas_that_need_a_gpu_go_to_the_node_that_has_some_each_to_its_own()
    {
        await using TestCluster cluster = await StartAsync(new FakeGpus(), new FakeGpus(Size, Size));
        await cluster.DeployAsync(OnGpus(replicas: 2));
        ClusterStatus status = await cluster.UntilAsync(known => Ready(known).Length == 2, "two replicas were wanted");
        NodeStatus node = Assert.Single(status.Nodes, known => known.Devices.Count == 3);
        Assert.All(Ready(status), stage => Assert.Equal(node.Address, stage.Node));
        Assert.Equal(["cuda:0", "cuda:1"], Ready(status).Select(stage => stage.Device).Order());
        Assert.Equal(("Fake", "9.0", Size, Size), (node.Devices[1].Model, node.Devices[1].ComputeCapability, node.Devices[1].TotalBytes, node.Devices[1].FreeBytes));
        Assert.True(node.Devices[1].ReservedBytes > 0);
    }

    [Fact]
    public async Task Without_a_gpu_the_problem_says_so()
    {
        await using TestCluster cluster = await StartAsync(new FakeGpus());
        await cluster.Models.DeployAsync(OnGpus(replicas: 1), TestContext.Current.CancellationToken);
        ClusterStatus status = await cluster.UntilAsync(known => known.Models.Any(model => model.Problem is not null), "a problem was expected");
        Assert.Contains("free on cuda for backbone", Assert.Single(status.Models).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tensor_parallel_ranks_take_gpus_of_one_node_and_lose_them_together()
    {
        await using TestCluster cluster = await StartAsync(new FakeGpus(Size), new FakeGpus(Size, Size, Size));
        await cluster.DeployAsync(OnGpus(replicas: 1) with { TensorParallelSize = 2 });
        StageStatus stage = Assert.Single(Ready(await cluster.StatusAsync()));
        NodeStatus node = (await cluster.StatusAsync()).Nodes.Single(known => known.Address == stage.Node);
        string[] taken = stage.Device.Split(',');
        Assert.Equal((2, 4), (taken.Length, node.Devices.Count));
        Assert.All(node.Devices, device => Assert.Equal(taken.Contains(device.Name), device.ReservedBytes > 0));
        cluster.HostOf(stage.Node).Lose(taken[1], "an illegal address");
        ClusterStatus after = await cluster.UntilAsync(
            known => known.Models.Any(model => model.Problem?.Contains("2 GPUs in a row", StringComparison.Ordinal) == true) || Ready(known).Any(now => now.Device != stage.Device),
            "neither a replacement nor a reason");
        Assert.DoesNotContain(Ready(after), now => now.Device.Split(',').Contains(taken[1]));
    }

    [Fact]
    public async Task A_lost_gpu_s_stage_is_replaced_on_another_and_its_requests_replay()
    {
        await using TestCluster cluster = await StartAsync(new FakeGpus(Size, Size));
        await cluster.DeployAsync(OnGpus(replicas: 1));
        StageStatus stage = Assert.Single(Ready(await cluster.StatusAsync()));
        ModelRequest request = TestCluster.Request(maxTokens: 300);
        Task<List<SequenceOutput>> answer = cluster.GenerateAsync("sim", request);
        await cluster.UntilAsync(known => known.Stages.Any(running => running.Load.Running > 0), "nothing runs");
        INodeDevices devices = Assert.Single(cluster.Silos).ServiceProvider.GetRequiredService<INodeDevices>();
        Assert.False(devices.Lost.IsCompleted);
        cluster.HostOf(stage.Node).Lose(stage.Device, "an illegal address");
        Assert.Equal(await TestCluster.AloneAsync(request), TestCluster.Ids(await answer));
        ClusterStatus after = await cluster.UntilAsync(known => Ready(known).Length == 1, "no replacement");
        Assert.NotEqual(stage.Device, Ready(after)[0].Device);
        Assert.Contains("an illegal address", (await devices.Lost).Message, StringComparison.Ordinal);
        Assert.True(after.Nodes[0].Devices.Single(device => device.Name == stage.Device).Lost);
    }

    private static StageStatus[] Ready(ClusterStatus status) => [.. status.Stages.Where(stage => stage.State == StageState.Ready)];

    private static ModelDeployment OnGpus(int replicas) => TestCluster.Simulated(stepMilliseconds: 2) with
    {
        Components = new Dictionary<string, ComponentDeployment>
        {
            [ModelDeployment.BackboneComponent] = new() { Device = "cuda", MinReplicas = replicas },
        },
    };

    // A silo for each list.
    private static Task<TestCluster> StartAsync(params FakeGpus[] gpus)
    {
        int next = -1;
        return TestCluster.StartAsync((short)gpus.Length, services: services => services.AddSingleton<IGpuInventory>(gpus[Interlocked.Increment(ref next)]));
    }
}
