using System.Text.Json;
using MmCluster.Cluster;
using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Status;

namespace MmCluster.Gateway.Clustering;

/// <summary>Applies cluster files to a cluster and to this gateway's keys. Safe to call from any thread; files are applied one after the other.</summary>
public sealed class ClusterControl(IModelCluster cluster) : IDisposable
{
    private readonly SemaphoreSlim _one = new(1, 1);
    private GatewaySettings? _started;
    private ClusterFile? _applied;

    /// <summary>What runs the models.</summary>
    public IModelCluster Cluster => cluster;

    /// <summary>Called with the new keys when a file changes them.</summary>
    internal Action<IReadOnlyList<KeyGrant>> KeysChanged { get; set; } = _ => { };

    /// <summary>Tells what this gateway was started with, so that later files are compared with it.</summary>
    public void StartedWith(ClusterFile file) => (_started, _applied) = (file.Gateway, file with { Models = [] });

    /// <summary>
    /// Makes the cluster run what the file says: new and changed models roll out, what the file does not name ends, keys change at once.
    /// With <paramref name="dryRun"/> it only tells.
    /// </summary>
    /// <exception cref="MmCluster.Models.MmException">The cluster cannot be reached, or refuses a deployment.</exception>
    public async Task<AppliedFile> ApplyAsync(ClusterFile file, bool dryRun, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            ClusterStatus status = await cluster.StatusAsync(cancellationToken);
            string[] running = [.. status.Models.Select(model => model.Name)];
            var changes = new List<string>();
            foreach (ModelDeployment model in file.Models)
            {
                ModelDeployment? before = _applied?.Models.FirstOrDefault(other => other.Name == model.Name);
                bool runs = running.Contains(model.Name, StringComparer.Ordinal);
                if (runs && before is not null && Same(before, model))
                {
                    continue;
                }
                changes.Add(!runs ? $"deploy {model.Name}" : before is null ? $"apply {model.Name}" : $"roll out {model.Name}");
                if (!dryRun)
                {
                    await cluster.DeployAsync(model, cancellationToken);
                }
            }
            foreach (string gone in file.ManagesModels ? running.Except(file.Models.Select(model => model.Name), StringComparer.Ordinal) : [])
            {
                changes.Add($"remove {gone}");
                if (!dryRun)
                {
                    await cluster.RemoveAsync(gone, cancellationToken);
                }
            }
            if (!Same(_applied?.Keys ?? [], file.Keys))
            {
                changes.Add($"keys: {file.Keys.Count}");
                if (!dryRun)
                {
                    KeysChanged(file.Keys);
                }
            }
            IReadOnlyList<string> needRestart = _started is { } started ? file.NeedRestart(new ClusterFile { Gateway = started }) : [];
            _applied = dryRun ? _applied : file;
            return new AppliedFile(changes, needRestart);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>No file is applied any more.</summary>
    public void Dispose() => _one.Dispose();

    // Records with lists and dictionaries in them are equal when they are written alike.
    private static bool Same<T>(T one, T other) => JsonSerializer.Serialize(one) == JsonSerializer.Serialize(other);
}

/// <summary>What applying a file did, or would do.</summary>
/// <param name="Changes">A line each.</param>
/// <param name="NeedRestart">Settings that differ from the running gateway's and take effect when it starts again.</param>
public sealed record AppliedFile(IReadOnlyList<string> Changes, IReadOnlyList<string> NeedRestart);
