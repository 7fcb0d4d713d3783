using System.Collections.Concurrent;
using MmCluster.Cluster;
using MmCluster.Gateway.Models;

namespace MmCluster.Gateway.Clustering;

/// <summary>A cluster's models as a gateway serves them, following what is deployed and removed.</summary>
public static class ClusterServedModels
{
    /// <summary>The models of <paramref name="cluster"/>, whichever they are when asked.</summary>
    public static ServedModels Of(IModelCluster cluster)
    {
        var byName = new ConcurrentDictionary<string, ClusterServedModel>(StringComparer.Ordinal);
        (IReadOnlyList<ClusterModel>? Seen, IReadOnlyList<IServedModel> Served) last = (null, []);
        Lock gate = new();
        return new ServedModels(() =>
        {
            IReadOnlyList<ClusterModel> models = cluster.Models;
            lock (gate)
            {
                if (last.Seen != models)
                {
                    last = (models, SameNames(last.Seen, models) ? last.Served
                        : [.. models.Select(model => byName.GetOrAdd(model.Name, name => new ClusterServedModel(name, cluster)))]);
                }
                return last.Served;
            }
        });
    }

    // A snapshot that differs in loads or readiness only serves the same models.
    private static bool SameNames(IReadOnlyList<ClusterModel>? before, IReadOnlyList<ClusterModel> after) =>
        before is not null && before.Select(model => model.Name).SequenceEqual(after.Select(model => model.Name));
}
