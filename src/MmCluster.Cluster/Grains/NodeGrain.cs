using MmCluster.Cluster.Hosting;
using MmCluster.Cluster.Nodes;
using MmCluster.Cluster.Placement;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using Orleans.Concurrency;
using Orleans.Placement;

namespace MmCluster.Cluster.Grains;

/// <inheritdoc/>
[GrainType("mm.node"), NodePlacement, KeepAlive, Immovable, Reentrant]
internal sealed class NodeGrain(StageHost host, NodeLedger ledger, TensorLinkEndpoint link, MmSiloOptions options, NodeName name) : Grain, INodeGrain
{
    public Task<NodeView> ViewAsync() => Task.FromResult(new NodeView(
        new NodeStatus
        {
            Name = name.Name,
            Address = this.GetPrimaryKeyString(),
            Role = options.Role,
            Zone = options.Zone,
            Draining = host.Draining,
            Devices = ledger.Devices,
            LeasedBytes = link.LeasedBytes,
            DeviceLeasedBytes = link.DeviceLeasedBytes,
        },
        host.Views));

    public Task<bool> ReserveAsync(string stage, string device, long bytes) => ReserveSpanAsync(stage, device, bytes, devices: 1);

    public Task<bool> ReserveSpanAsync(string stage, string device, long bytes, int devices) =>
        Task.FromResult(!host.Draining && ledger.TryReserve(stage, device, bytes, devices));

    public Task ReleaseAsync(string stage)
    {
        if (!host.Has(stage))
        {
            ledger.Release(stage);
        }
        return Task.CompletedTask;
    }

    public Task DrainAsync()
    {
        host.Draining = true;
        return Task.CompletedTask;
    }
}
