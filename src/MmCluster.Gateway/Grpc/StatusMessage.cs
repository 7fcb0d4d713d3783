using MmCluster.Cluster.Status;
using Wire = MmCluster.Protos.V1;

namespace MmCluster.Gateway.Grpc;

/// <summary>A cluster's status as a message.</summary>
internal static class StatusMessage
{
    public static Wire.ClusterStatus Of(ClusterStatus status) => new()
    {
        Nodes = { status.Nodes.Select(Of) },
        Models = { status.Models.Select(Of) },
        Stages = { status.Stages.Select(Of) },
    };

    private static Wire.Node Of(NodeStatus node) => new()
    {
        Address = node.Address,
        Name = node.Name,
        Role = node.Role,
        Zone = node.Zone,
        Draining = node.Draining,
        LeasedBytes = node.LeasedBytes,
        DeviceLeasedBytes = node.DeviceLeasedBytes,
        Devices = { node.Devices.Select(Of) },
    };

    private static Wire.Device Of(DeviceStatus device) => new()
    {
        Name = device.Name,
        MemoryBytes = device.CapacityBytes,
        ReservedBytes = device.ReservedBytes,
        UsedBytes = device.FreeBytes is { } free ? device.TotalBytes - free : 0,
        Model = device.Model,
        ComputeCapability = device.ComputeCapability,
        Uuid = device.Uuid,
        TotalBytes = device.TotalBytes,
        Lost = device.Lost,
    };

    private static Wire.ModelState Of(ModelStatus model) => new()
    {
        Name = model.Name,
        Revision = model.Revision,
        ServingRevision = model.ServingRevision ?? "",
        Components = { model.Components.Select(part => new Wire.ComponentState { Name = part.Name, Desired = part.Desired, Ready = part.Ready }) },
        Problem = model.Problem ?? "",
    };

    private static Wire.Stage Of(StageStatus stage) => new()
    {
        Model = stage.Models is [var first, ..] ? first : "",
        Models = { stage.Models },
        Revision = stage.Revision,
        Component = stage.Component,
        Replica = stage.Replica,
        Shard = stage.Shard,
        Node = stage.Node,
        Device = stage.Device,
        State = stage.State.ToString(),
        Running = stage.Load.Running,
        Waiting = stage.Load.Waiting,
        Error = stage.Problem ?? "",
        QueueUsed = stage.Load.QueueUsed,
        QueueLimit = stage.Load.QueueLimit,
        BusySeconds = stage.Load.BusySeconds,
        KvCacheUsage = stage.Load.KvCacheUsage,
        Finished = stage.Load.Finished,
        CacheHeld = stage.Load.CacheHeld,
    };
}
