using System.Diagnostics.Metrics;

namespace MmCluster.Cluster.Routing;

/// <summary>What the routing of requests tells of itself.</summary>
internal static class RoutingTelemetry
{
    private static readonly Meter Meter = new("MmCluster.Routing");
    private static readonly Histogram<double> ReleaseSeconds = Meter.CreateHistogram<double>(
        "mm:request_release_seconds", description: "From when a request was given up (its client left or cancelled, or a stage refused it) to when it was freed everywhere.");

    /// <summary>A request that was given up is freed everywhere, <paramref name="time"/> later.</summary>
    public static void Freed(string model, TimeSpan time) => ReleaseSeconds.Record(time.TotalSeconds, new KeyValuePair<string, object?>("model", model));
}
