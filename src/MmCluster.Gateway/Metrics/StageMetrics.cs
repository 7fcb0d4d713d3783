using System.Globalization;
using MmCluster.Cluster;
using MmCluster.Cluster.Status;
using MmCluster.Models;

namespace MmCluster.Gateway.Metrics;

/// <summary>What a cluster's stages have to do, by model, stage and replica; read when it is asked for.</summary>
internal static class StageMetrics
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>All series; none while the cluster does not answer.</summary>
    public static async Task RenderAsync(IModelCluster cluster, PrometheusText text, CancellationToken cancellationToken)
    {
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(Patience);
            Render(await cluster.StatusAsync(patience.Token), text);
        }
        catch (Exception error) when (error is MmException or TimeoutException || (error is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // What this process counts by itself is told all the same.
        }
    }

    private static void Render(ClusterStatus status, PrometheusText text)
    {
        Stages("mm:stage_num_requests_running", "gauge", "Sequences or items being computed.", stage => stage.Load.Running);
        Stages("mm:stage_num_requests_waiting", "gauge", "Sequences or items that wait.", stage => stage.Load.Waiting);
        Stages("mm:stage_queue_used", "gauge", "Cost units accepted and not finished.", stage => stage.Load.QueueUsed);
        Stages("mm:stage_queue_limit", "gauge", "Cost units accepted at most.", stage => stage.Load.QueueLimit);
        Stages("mm:stage_busy_seconds_total", "counter", "Time that it computed.", stage => stage.Load.BusySeconds);
        Stages("mm:stage_requests_finished_total", "counter", "Requests that it finished.", stage => stage.Load.Finished);
        Stages("mm:stage_cache_queries_total", "counter", "Items or positions looked up in its cache.", stage => stage.Load.CacheQueries);
        Stages("mm:stage_cache_hits_total", "counter", "Items or positions found there.", stage => stage.Load.CacheHits);
        Stages("mm:stage_cache_held", "gauge", "Items of an encoder's caches that requests hold.", stage => stage.Load.CacheHeld);
        Stages("mm:stage_kv_cache_usage_perc", "gauge", "Share of KV blocks in use, 0 to 1.", stage => stage.Load.KvCacheUsage);
        Times("mm:stage_queue_time_seconds", "How long requests or items waited in the stage until they were computed.", load => load.QueueTimes);
        Times("mm:stage_busy_time_seconds", "How long its steps or batches took.", load => load.BusyTimes);
        text.Begin("mm:node_leased_bytes", "gauge", "Bytes of tensors that a node holds for others.");
        foreach (NodeStatus node in status.Nodes)
        {
            text.Sample("mm:node_leased_bytes", $"{PrometheusText.Label("node", node.Name)},{PrometheusText.Label("address", node.Address)}", node.LeasedBytes);
        }

        void Stages(string name, string type, string help, Func<StageStatus, double> value)
        {
            text.Begin(name, type, help);
            foreach (StageStatus stage in status.Stages)
            {
                text.Sample(name, Labels(stage), value(stage));
            }
        }

        void Times(string name, string help, Func<StageLoad, DurationCounts?> times)
        {
            text.Begin(name, "histogram", help);
            foreach (StageStatus stage in status.Stages)
            {
                if (times(stage.Load) is { } counted)
                {
                    text.Histogram(name, Labels(stage), DurationCounts.Bounds, counted.Counts, counted.SumSeconds);
                }
            }
        }
    }

    // No two stages may look alike: encoders have no revision, and what replaces a lost stage is there with it for a moment.
    private static string Labels(StageStatus stage) => string.Join(
        ',',
        PrometheusText.Label("model", string.Join('+', stage.Models)),
        PrometheusText.Label("revision", stage.Revision.Length > 0 ? stage.Revision : DigestOf(stage)),
        PrometheusText.Label("stage", stage.Component),
        PrometheusText.Label("replica", stage.Replica.ToString(CultureInfo.InvariantCulture)),
        PrometheusText.Label("shard", stage.Shard.ToString(CultureInfo.InvariantCulture)),
        PrometheusText.Label("node", stage.Node));

    private static string DigestOf(StageStatus stage) => stage.Key.Split('/')[0] is { Length: > 8 } digest ? digest[..8] : stage.Key.Split('/')[0];
}
