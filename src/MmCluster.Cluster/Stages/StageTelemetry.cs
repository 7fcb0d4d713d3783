using System.Diagnostics;

namespace MmCluster.Cluster.Stages;

/// <summary>Spans of what stages do for a request, under the span of the gateway that sent it.</summary>
internal static class StageTelemetry
{
    private static readonly ActivitySource Source = new("MmCluster.Cluster");

    /// <summary>What a message carries, so that another process' spans belong to the same trace; null while nobody listens.</summary>
    public static string? Current => Activity.Current?.Id;

    /// <summary>Begins a span that outlives the call which began it; null while nobody listens.</summary>
    public static Activity? Start(string name, string? parent, string request)
    {
        if (!Source.HasListeners())
        {
            return null;
        }
        Activity? around = Activity.Current;
        Activity? span = Source.StartActivity(name, ActivityKind.Server, parent);
        // What else this turn does is not part of it.
        Activity.Current = around;
        return span?.SetTag("mm.request_id", request);
    }
}
