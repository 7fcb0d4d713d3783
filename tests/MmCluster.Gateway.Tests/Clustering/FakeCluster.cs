using System.Runtime.CompilerServices;
using MmCluster.Cluster;
using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.TensorLink;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;

namespace MmCluster.Gateway.Tests.Clustering;

/// <summary>Remembers what it was asked to run; runs nothing.</summary>
internal sealed class FakeCluster : IModelCluster
{
    private readonly SortedDictionary<string, ModelDeployment> _deployed = new(StringComparer.Ordinal);

    public List<string> Calls { get; } = [];

    public IReadOnlyList<ClusterModel> Models { get; } = [];

    public Task ConnectedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async IAsyncEnumerable<SequenceOutput> GenerateAsync(string model, ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        yield break;
    }

    public Task<PulledTensor> EncodeAsync(string model, string revision, MediaItem media, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task DeployAsync(ModelDeployment deployment, CancellationToken cancellationToken)
    {
        Calls.Add($"deploy {deployment.Name} {deployment.Dtype}");
        _deployed[deployment.Name] = deployment;
        return Task.CompletedTask;
    }

    public Task RemoveAsync(string model, CancellationToken cancellationToken)
    {
        Calls.Add($"remove {model}");
        _deployed.Remove(model);
        return Task.CompletedTask;
    }

    public Task<int> ScaleAsync(string model, string component, int replicas, CancellationToken cancellationToken)
    {
        Calls.Add($"scale {model} {component} {replicas}");
        return Task.FromResult(1);
    }

    public async IAsyncEnumerable<DrainProgress> DrainAsync(string node, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.Yield();
        yield return new DrainProgress(3, 1, false) { Problem = "no room" };
        yield return new DrainProgress(0, 0, true);
    }

    public Task<ClusterStatus> StatusAsync(CancellationToken cancellationToken) => Task.FromResult(new ClusterStatus(
        [new NodeStatus { Name = "one", Address = "S127.0.0.1:1:1", LeasedBytes = 7, Devices = [new DeviceStatus("cpu", 100, 40)] }],
        [.. _deployed.Values.Select(model => new ModelStatus(model.Name, model.Revision, model.Revision, [new ComponentStatus("backbone", 2, 1)], null))],
        [new StageStatus { Key = "k", Models = ["a"], Component = "backbone", Node = "S127.0.0.1:1:1", State = StageState.Ready, Load = new StageLoad { Running = 5, BusySeconds = 1.5, QueueTimes = Times, BusyTimes = Times } }]));

    private static DurationCounts Times { get; } = new([1, 1, .. Enumerable.Repeat(0L, DurationCounts.Bounds.Count - 2), 1], 2.5);
}
