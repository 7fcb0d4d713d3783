using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Hosting;
using MmCluster.Cluster.Nodes;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.Wire;

namespace MmCluster.Cluster.Placement;

/// <summary>Which nodes may take a stage, the best first.</summary>
internal static class NodeChooser
{
    /// <summary>Nodes whose role, zone, device and free memory fit; none that is drained or runs no stages.</summary>
    /// <param name="nodes">All nodes.</param>
    /// <param name="spec">The stage.</param>
    /// <param name="near">Nodes that it should be on, as a fused stage; empty for any.</param>
    public static IReadOnlyList<string> Choose(IReadOnlyList<NodeView> nodes, StageSpec spec, IReadOnlyCollection<string> near)
    {
        ComponentDeployment wanted = spec.Deployment.Component(spec.Component);
        return [.. nodes
            .Where(node => !node.Status.Draining && node.Status.Role != MmSiloOptions.GatewayRole)
            .Where(node => wanted.Role is null || node.Status.Role == wanted.Role)
            .Where(node => wanted.Zone is null || node.Status.Zone == wanted.Zone)
            .Where(node => near.Count == 0 || near.Contains(node.Status.Address))
            .Where(node => Best(node, spec).Free >= spec.Bytes)
            // Replicas apart from each other, then the node with least to do.
            .OrderBy(node => node.Stages.Count(stage => IsTwin(stage, spec)))
            .ThenBy(node => node.Stages.Length)
            .ThenByDescending(node => Best(node, spec).Free)
            .ThenBy(node => node.Status.Address, StringComparer.Ordinal)
            .Select(node => node.Status.Address)];
    }

    /// <summary>Nodes that a deployment's stages may be on at all.</summary>
    public static int CountUsable(IReadOnlyList<NodeView> nodes) =>
        nodes.Count(node => !node.Status.Draining && node.Status.Role != MmSiloOptions.GatewayRole);

    private static bool IsTwin(StageView stage, StageSpec spec) => spec.Digest.Length > 0
        ? stage.Digest == spec.Digest
        : stage.Status.Models.Contains(spec.Deployment.Name) && stage.Status.Component == spec.Component;

    /// <summary>The devices of a node where a stage has most room, and the least that is free on any of them; none where the node has no such devices.</summary>
    public static (IReadOnlyList<string> Devices, long Free) Best(NodeView node, StageSpec spec)
    {
        var free = node.Status.Devices.ToDictionary(device => device.Name, Free);
        return DeviceSpan.Starts(free.Keys, spec.Device, spec.DeviceCount)
            .Select(first => DeviceSpan.Names(first, spec.DeviceCount))
            .Select(span => (Devices: span, Free: span.Min(name => free[name])))
            .DefaultIfEmpty((Devices: [], Free: -1))
            .MaxBy(fit => fit.Free);
    }

    // The ledger of a node does not know what processes beside it have taken of a GPU; the GPU does.
    private static long Free(DeviceStatus device) => Math.Min(device.CapacityBytes - device.ReservedBytes, device.FreeBytes ?? long.MaxValue);
}
