using System.Globalization;
using System.Text;
using MmCluster.Cli.Hosting;
using MmCluster.Protos.V1;

namespace MmCluster.Cli.Clustering;

/// <summary>A cluster's status as people and programs read it.</summary>
internal static class StatusText
{
    /// <summary>Tables of nodes, models and stages.</summary>
    public static string Of(ClusterStatus status)
    {
        var text = new StringBuilder();
        Table(text, ["NODE", "ROLE", "ZONE", "ADDRESS", "STATE", "MEMORY", "LEASED"], status.Nodes.Select(node => (string[])
        [
            node.Name, node.Role, node.Zone, node.Address, node.Draining ? "draining" : "up",
            string.Join(' ', node.Devices.Select(device => $"{device.Name} {Bytes(device.ReservedBytes)}/{Bytes(device.MemoryBytes)}")), Bytes(node.LeasedBytes),
        ]));
        string[][] gpus = [.. status.Nodes.SelectMany(node => node.Devices.Where(device => device.Model.Length > 0).Select(device => Gpu(node, device)))];
        if (gpus.Length > 0)
        {
            Table(text, ["NODE", "DEVICE", "GPU", "COMPUTE", "STATE", "RESERVED", "FOR STAGES", "USED", "MEMORY"], gpus);
        }
        Table(text, ["MODEL", "REVISION", "SERVES", "REPLICAS READY/WANTED", "PROBLEM"], status.Models.Select(model => (string[])
        [
            model.Name, model.Revision, model.ServingRevision,
            string.Join(' ', model.Components.Select(part => $"{part.Name} {part.Ready}/{part.Desired}")), model.Problem,
        ]));
        var names = status.Nodes.ToDictionary(node => node.Address, node => node.Name);
        Table(text, ["STAGE", "MODELS", "REVISION", "NODE", "DEVICE", "STATE", "RUNNING", "WAITING", "QUEUE", "BUSY S", "KV", "PROBLEM"], Ordered(status.Stages).Select(stage => (string[])
        [
            Name(stage), string.Join(',', stage.Models), stage.Revision, names.GetValueOrDefault(stage.Node, stage.Node), stage.Device, stage.State,
            Number(stage.Running), Number(stage.Waiting), $"{stage.QueueUsed}/{stage.QueueLimit}",
            stage.BusySeconds.ToString("0.0", CultureInfo.InvariantCulture), stage.KvCacheUsage.ToString("0%", CultureInfo.InvariantCulture), stage.Error,
        ]));
        return text.ToString().TrimEnd();
    }

    /// <summary>The same as one JSON object.</summary>
    public static string Json(ClusterStatus status) => JsonLine.Of(new
    {
        schema = 1,
        nodes = status.Nodes.Select(node => new
        {
            name = node.Name,
            address = node.Address,
            role = node.Role,
            zone = node.Zone,
            draining = node.Draining,
            leased_bytes = node.LeasedBytes,
            device_leased_bytes = node.DeviceLeasedBytes,
            devices = node.Devices.Select(device => new
            {
                name = device.Name,
                memory_bytes = device.MemoryBytes,
                reserved_bytes = device.ReservedBytes,
                used_bytes = device.UsedBytes,
                total_bytes = device.TotalBytes,
                model = device.Model,
                compute_capability = device.ComputeCapability,
                uuid = device.Uuid,
                lost = device.Lost,
            }),
        }),
        models = status.Models.Select(model => new
        {
            name = model.Name,
            revision = model.Revision,
            serving_revision = model.ServingRevision,
            components = model.Components.Select(part => new { name = part.Name, desired = part.Desired, ready = part.Ready }),
            problem = model.Problem,
        }),
        stages = status.Stages.Select(stage => new
        {
            models = stage.Models,
            revision = stage.Revision,
            component = stage.Component,
            replica = stage.Replica,
            shard = stage.Shard,
            node = stage.Node,
            device = stage.Device,
            state = stage.State,
            running = stage.Running,
            waiting = stage.Waiting,
            queue_used = stage.QueueUsed,
            queue_limit = stage.QueueLimit,
            busy_seconds = Math.Round(stage.BusySeconds, 3),
            kv_cache_usage = Math.Round(stage.KvCacheUsage, 4),
            finished = stage.Finished,
            problem = stage.Error,
        }),
    });

    private static string[] Gpu(Node node, Device device) =>
    [
        node.Name, device.Name, device.Model, device.ComputeCapability, device.Lost ? "lost" : device.MemoryBytes == 0 ? "unusable" : "up",
        Bytes(device.ReservedBytes), Bytes(device.MemoryBytes), Bytes(device.UsedBytes), Bytes(device.TotalBytes),
    ];

    // As people look for them; nodes tell them in any order.
    private static IEnumerable<Stage> Ordered(IEnumerable<Stage> stages) => stages
        .OrderBy(stage => stage.Models.FirstOrDefault(), StringComparer.Ordinal)
        .ThenBy(stage => stage.Component, StringComparer.Ordinal)
        .ThenBy(stage => stage.Revision, StringComparer.Ordinal)
        .ThenBy(stage => stage.Replica)
        .ThenBy(stage => stage.Shard);

    private static string Name(Stage stage) => stage.Shard == 0 ? $"{stage.Component}/{stage.Replica}" : $"{stage.Component}/{stage.Replica}/{stage.Shard}";

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Bytes(long bytes) => bytes >= 1L << 30
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.0}GiB")
        : string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 20):0}MiB");

    private static void Table(StringBuilder text, string[] head, IEnumerable<string[]> body)
    {
        string[][] rows = [head, .. body];
        int[] widths = [.. head.Select((_, column) => rows.Max(row => row[column].Length))];
        foreach (string[] row in rows)
        {
            text.AppendLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
        }
        text.AppendLine();
    }
}
