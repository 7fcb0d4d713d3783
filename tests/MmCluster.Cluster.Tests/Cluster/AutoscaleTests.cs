using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Status;

namespace MmCluster.Cluster.Tests.Cluster;

public sealed class AutoscaleTests
{
    [Fact]
    public async Task A_component_with_a_range_gets_a_replica_more_when_its_queue_stays_full()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(1);
        await cluster.DeployAsync(TestCluster.Simulated(stepMilliseconds: 5, maxQueue: 8) with
        {
            Components = new Dictionary<string, ComponentDeployment> { [ModelDeployment.BackboneComponent] = new() { MinReplicas = 1, MaxReplicas = 2 } },
        });
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        Task[] streams = [.. Enumerable.Range(0, 6).Select(async i =>
        {
            await foreach (Engine.SequenceOutput _ in cluster.Models.GenerateAsync("sim", TestCluster.Request(4000, seed: i + 1) with { Id = $"r{i}" }, leave.Token))
            {
            }
        })];
        ClusterStatus status = await cluster.UntilAsync(known => known.Models[0].Components is [{ Desired: 2, Ready: 2 }], "no replica comes");
        Assert.Equal(2, status.Stages.Count(stage => stage.State == StageState.Ready));
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.WhenAll(streams));
    }
}
