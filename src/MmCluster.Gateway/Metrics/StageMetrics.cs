using System.Globalization;
using System.Text;
using MmCluster.Cluster;
using MmCluster.Cluster.Status;
using MmCluster.Models;

namespace MmCluster.Gateway.Metrics;

/// <summary>What a cluster's stages have to do, by model, stage and replica; read when it is asked for.</summary>
internal static class StageMetrics
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>All series; none while the cluster does not answer.</summary>
    public static async Task<string> RenderAsync(IModelCluster cluster, CancellationToken cancellationToken)
    {
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(Patience);
            return Render(await cluster.StatusAsync(patience.Token));
        }
        catch (Exception error) when (error is MmException or TimeoutException || (error is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return "";
        }
    }

    private static string Render(ClusterStatus status)
    {
        var text = new StringBuilder();
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
        Header("mm:node_leased_bytes", "gauge", "Bytes of tensors that a node holds for others.");
        foreach (NodeStatus node in status.Nodes)
        {
            text.Append(CultureInfo.InvariantCulture, $"mm:node_leased_bytes{{node=\"{node.Name}\"}} {node.LeasedBytes}\n");
        }
        return text.ToString();

        void Header(string name, string type, string help) => text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");

        void Stages(string name, string type, string help, Func<StageStatus, double> value)
        {
            Header(name, type, help);
            foreach (StageStatus stage in status.Stages)
            {
                text.Append(
                    CultureInfo.InvariantCulture,
                    $"{name}{{model=\"{string.Join('+', stage.Models)}\",revision=\"{stage.Revision}\",stage=\"{stage.Component}\",replica=\"{stage.Replica}\",shard=\"{stage.Shard}\"}} {value(stage)}\n");
            }
        }
    }
}
