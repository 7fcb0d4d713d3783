using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace MmCluster.Cluster.TensorLink;

/// <summary>What the data plane tells of itself: a span a pull, and how much was moved in how long.</summary>
internal static class LinkTelemetry
{
    public const string Name = "MmCluster.TensorLink";

    private static readonly ActivitySource Source = new(Name);
    private static readonly Meter Meter = new(Name);
    private static readonly Counter<long> Bytes = Meter.CreateCounter<long>("mm:transfer_bytes_total", description: "Bytes of tensors pulled from other processes.");
    private static readonly Histogram<double> Seconds = Meter.CreateHistogram<double>("mm:transfer_seconds", description: "Time of a pull from another process.");

    private static readonly ConcurrentDictionary<LeaseRegistry, bool> Registries = [];

    static LinkTelemetry() => Meter.CreateObservableGauge(
        "mm:transfer_leased_bytes", () => Registries.Keys.Sum(registry => registry.LeasedBytes), description: "Bytes of tensors that this process holds for others.");

    /// <summary>Begins to tell of what <paramref name="leases"/> holds.</summary>
    public static void Watch(LeaseRegistry leases) => Registries[leases] = true;

    /// <summary>Tells of it no more.</summary>
    public static void Unwatch(LeaseRegistry leases) => Registries.TryRemove(leases, out _);

    /// <summary>Runs a pull under a span, one below <paramref name="trace"/> where that is told, and counts it.</summary>
    public static async Task<PulledTensor> MeasureAsync(TensorRef wanted, bool shared, string? trace, Func<Task<PulledTensor>> pull)
    {
        using Activity? span = trace is null ? Source.StartActivity("pull tensor", ActivityKind.Client) : Source.StartActivity("pull tensor", ActivityKind.Client, trace);
        string path = shared ? "shared_memory" : "tcp";
        span?.SetTag("mm.transfer.path", path).SetTag("mm.transfer.bytes", wanted.Bytes).SetTag("server.address", wanted.Owner.Host);
        long start = Stopwatch.GetTimestamp();
        try
        {
            PulledTensor pulled = await pull();
            Bytes.Add(wanted.Bytes, new KeyValuePair<string, object?>("path", path));
            Seconds.Record(Stopwatch.GetElapsedTime(start).TotalSeconds, new KeyValuePair<string, object?>("path", path));
            return pulled;
        }
        catch (Exception error)
        {
            span?.SetStatus(ActivityStatusCode.Error, error.GetType().Name);
            throw;
        }
    }
}
