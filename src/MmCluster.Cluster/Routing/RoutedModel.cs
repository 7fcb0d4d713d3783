using MmCluster.Cluster.Grains;
using MmCluster.Cluster.Sources;
using MmCluster.Cluster.Wire;
using MmCluster.Models;

namespace MmCluster.Cluster.Routing;

/// <summary>A revision that takes requests, with what this process needs to speak to it.</summary>
internal sealed record RoutedRevision(ModelRoutes Routes, ModelFront Front);

/// <summary>A model's routes in this process, kept up to date, and the choice among its replicas. Safe to call from any thread.</summary>
internal sealed class RoutedModel : IDisposable
{
    // A replica that has the prefix is taken as long as it has not this much more to do than another.
    private const int AffinitySlack = 8;

    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(300);

    private readonly ModelSource _source;
    private readonly TimeProvider _time;
    private readonly Func<string, ReplicaStream> _streams;
    private readonly Action _changed;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _heard = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile TaskCompletionSource _newRoutes = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile RoutedRevision? _current;
    private volatile IReadOnlyList<RoutedRevision> _running = [];
    private volatile ModelRoutes? _routes;
    private long _lastReport;

    public RoutedModel(string name, IGrainFactory grains, ModelSource source, TimeProvider time, Func<string, ReplicaStream> streams, Action changed)
    {
        Name = name;
        Grains = grains;
        _source = source;
        _time = time;
        _streams = streams;
        _changed = changed;
        CancellationToken stop = _stop.Token;
        _ = Task.Run(() => WatchAsync(stop), CancellationToken.None);
    }

    public string Name { get; }

    public IGrainFactory Grains { get; }

    public TimeProvider Time => _time;

    /// <summary>Completes when its grain was heard of for the first time, or it is followed no more.</summary>
    public Task Heard => _heard.Task;

    /// <summary>The revision that takes requests; null while none does or its files are not here.</summary>
    public RoutedRevision? Current => _current;

    /// <summary>A revision that takes requests, by its name or the label that the operator gave it; null where there is none. Empty is the current one.</summary>
    public RoutedRevision? Find(string revision) => revision.Length == 0 ? _current
        : _running.FirstOrDefault(running => running.Routes.Revision == revision) ?? _running.FirstOrDefault(running => running.Routes.Deployment!.Revision == revision);

    /// <summary>What the model looks like from outside; null while it was not reached.</summary>
    public ClusterModel? Snapshot { get; private set; }

    /// <summary>Follows the model no more.</summary>
    public void Dispose()
    {
        _heard.TrySetResult();
        _stop.Cancel();
        _stop.Dispose();
    }

    /// <summary>The backbone for a request: the one that is likely to have its prefix, unless others have much less to do.</summary>
    /// <param name="revision">The revision that the request was prepared for.</param>
    /// <param name="affinity">Of the request's beginning.</param>
    /// <param name="failed">Replicas that did not take it.</param>
    /// <exception cref="MmException">Unavailable: none is left.</exception>
    public ReplicaStream Backbone(string revision, ulong affinity, IReadOnlyCollection<string> failed)
    {
        ReplicaStream? best = null;
        ReplicaStream? least = null;
        ulong bestRank = 0;
        foreach (BackboneRoute route in _routes?.Of(revision)?.Backbones ?? [])
        {
            if (failed.Contains(route.Key))
            {
                continue;
            }
            ReplicaStream stream = _streams(route.Key);
            ulong rank = Affinity.Rank(affinity, route.Key);
            if (best is null || rank > bestRank)
            {
                (best, bestRank) = (stream, rank);
            }
            least = least is null || stream.Load < least.Load ? stream : least;
        }
        return best is null
            ? throw new MmException(MmErrorCode.Unavailable, $"no replica of '{Name}' is ready; try again later") { RetryAfter = TimeSpan.FromSeconds(1) }
            : best.Load <= least!.Load + AffinitySlack ? best : least;
    }

    /// <summary>The encoders for an item, the one that is likely to have it cached first.</summary>
    public EncoderRoute[] Encoders(string revision, PreparedMedia media) => [.. (RoutesOf(revision)?.Encoders ?? [])
        .Where(route => route.Component == media.Component)
        .OrderByDescending(route => Affinity.Rank((ulong)media.Key, route.Key))];

    /// <summary>The generators of a component, another first for each item.</summary>
    public GeneratorRoute[] Generators(string revision, string component, ulong item) => [.. (RoutesOf(revision)?.Generators ?? [])
        .Where(route => route.Component == component)
        .OrderByDescending(route => Affinity.Rank(item, route.Key))];

    /// <summary>Waits for the next routes, a while at most.</summary>
    public async Task WaitForNewRoutesAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        try
        {
            await _newRoutes.Task.WaitAsync(patience, _time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // Whoever waits looks at what there is.
        }
    }

    /// <summary>A stage failed a call: where that tells of its loss, the model's grain looks at once.</summary>
    public void Report(Exception error)
    {
        if (Failures.TellsOfLoss(error))
        {
            LookSoon();
        }
    }

    /// <summary>Has the model's grain look at once; often asked, it is asked once a while.</summary>
    public void LookSoon()
    {
        long last = Interlocked.Read(ref _lastReport);
        long now = _time.GetTimestamp();
        if ((last == 0 || _time.GetElapsedTime(last, now) > RetryPause) && Interlocked.CompareExchange(ref _lastReport, now, last) == last)
        {
            _ = LookAsync();
        }
    }

    // What began in a revision that takes no requests any more goes on in the current one, where stages are often the same.
    private ModelRoutes? RoutesOf(string revision) => _routes?.Of(revision) ?? _routes;

    private async Task LookAsync()
    {
        try
        {
            await Grains.GetGrain<IModelGrain>(Name).LookAsync();
        }
        catch (Exception)
        {
            // The watcher hears of whatever keeps the grain from answering.
        }
    }

    private async Task WatchAsync(CancellationToken stop)
    {
        long version = 0;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                ModelRoutes routes = await Grains.GetGrain<IModelGrain>(Name).RoutesAsync(version);
                if (routes.Version != version)
                {
                    Take(routes);
                    version = routes.Version;
                }
            }
            catch (Exception)
            {
                // The grain's silo may have died; the next call finds or makes another activation.
                await Task.Delay(RetryPause, _time, stop);
            }
        }
    }

    private void Take(ModelRoutes routes)
    {
        string? problem = routes.Problem;
        List<RoutedRevision> running = [];
        foreach (ModelRoutes revision in (ModelRoutes[])[routes, .. routes.Others ?? []])
        {
            try
            {
                if (revision is { Deployment: { } deployment, Facts: not null })
                {
                    ModelFront? known = _running.FirstOrDefault(known => known.Routes.Revision == revision.Revision)?.Front;
                    running.Add(new RoutedRevision(revision, known ?? ModelFront.Open(deployment, _source, _time)));
                }
            }
            catch (Exception error)
            {
                problem = $"this gateway cannot read the model's tokenizer: {error.Message}";
            }
        }
        _running = running;
        _current = running.Find(revision => ReferenceEquals(revision.Routes, routes));
        _routes = routes;
        Snapshot = routes.Removed ? null : SnapshotOf(routes, _current?.Front, problem);
        TaskCompletionSource waiting = _newRoutes;
        _newRoutes = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        waiting.TrySetResult();
        _changed();
        _heard.TrySetResult();
    }

    private ClusterModel SnapshotOf(ModelRoutes routes, ModelFront? front, string? problem) => new(token => front?.TokenText(token))
    {
        Name = Name,
        Revision = routes.Revision,
        Revisions = [.. _running.Select(running => running.Routes.Revision)],
        Created = routes.Created,
        MaxModelLength = routes.Facts?.MaxModelLength ?? 0,
        VocabularySize = routes.Facts?.VocabularySize ?? 0,
        Media = [.. routes.Encoders.Select(encoder => encoder.Modality).Distinct()],
        Outputs = [.. (front?.Signals ?? []).Select(signal => signal.Output).Distinct()],
        DefaultSampling = front?.DefaultSampling ?? new Engine.SamplingParameters(),
        Ready = front is not null && routes.Backbones.Length > 0,
        Problem = problem,
    };
}
