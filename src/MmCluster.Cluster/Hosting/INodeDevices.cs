using MmCluster.Cluster.Nodes;
using MmCluster.Cluster.Status;
using MmCluster.Models;

namespace MmCluster.Cluster.Hosting;

/// <summary>A silo's own devices.</summary>
public interface INodeDevices
{
    /// <summary>The devices with their memory now.</summary>
    IReadOnlyList<DeviceStatus> Devices { get; }

    /// <summary>Completes with what happened when a GPU is of no more use to this process: it has to be started anew.</summary>
    Task<MmException> Lost { get; }
}

/// <inheritdoc cref="INodeDevices"/>
internal sealed class SiloDevices(NodeLedger ledger, StageHost host) : INodeDevices
{
    public IReadOnlyList<DeviceStatus> Devices => ledger.Devices;

    public Task<MmException> Lost => host.DeviceLost;
}
