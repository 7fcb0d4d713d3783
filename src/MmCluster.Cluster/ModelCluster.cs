using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Grains;
using MmCluster.Cluster.Routing;
using MmCluster.Cluster.Sources;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models;

namespace MmCluster.Cluster;

/// <summary>The cluster through grains and the tensor link of this process.</summary>
internal sealed class ModelCluster : IModelCluster, IAsyncDisposable
{
    private const int MostTries = 3;

    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(300);

    private readonly IGrainFactory _grains;
    private readonly ModelSource _source;
    private readonly TimeProvider _time;
    private readonly CallContext _context;
    private readonly ConcurrentDictionary<string, RoutedModel> _routed = [];
    private readonly ConcurrentDictionary<string, ReplicaStream> _streams = [];
    private readonly ConcurrentDictionary<string, bool> _ids = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _gate = new();
    private volatile IReadOnlyList<ClusterModel> _models = [];
    private int _sessions;
    private bool _disposed;

    /// <summary>Begins to follow the cluster.</summary>
    public ModelCluster(IGrainFactory grains, TensorLinkEndpoint link, ModelSource source, TimeProvider time)
    {
        (_grains, _source, _time) = (grains, source, time);
        _context = new CallContext(grains, link, time);
        CancellationToken stop = _stop.Token;
        _ = Task.Run(() => WatchAsync(stop), CancellationToken.None);
    }

    public IReadOnlyList<ClusterModel> Models => _models;

    public Task ConnectedAsync(CancellationToken cancellationToken) => _connected.Task.WaitAsync(cancellationToken);

    public async IAsyncEnumerable<SequenceOutput> GenerateAsync(string model, ModelRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        (RoutedModel routed, RoutedRevision revision) = Find(model, request.Revision);
        if (!_ids.TryAdd(request.Id, true))
        {
            throw new MmException(MmErrorCode.AlreadyExists, $"a request with id '{request.Id}' is in flight");
        }
        try
        {
            var call = new GenerationCall(routed, revision, request, _context);
            IAsyncEnumerable<SequenceOutput> entries = call.RunAsync(cancellationToken);
            if (request.ReportProgress)
            {
                entries = RequestProgress.TellAsync(request.Id, call.Encoded(), entries, cancellationToken);
            }
            await foreach (SequenceOutput entry in entries)
            {
                yield return entry;
            }
        }
        finally
        {
            _ids.TryRemove(request.Id, out _);
        }
    }

    public async Task<PulledTensor> EncodeAsync(string model, string revision, MediaItem media, CancellationToken cancellationToken)
    {
        (RoutedModel routed, RoutedRevision asked) = Find(model, revision);
        return await new EncodeCall(routed, asked.Routes.Revision, asked.Front.Prepare(media, asked.Routes), _context).RunAsync(cancellationToken);
    }

    public Task DeployAsync(ModelDeployment deployment, CancellationToken cancellationToken)
    {
        deployment.Check();
        return _grains.GetGrain<IModelGrain>(deployment.Name).DeployAsync(deployment).WaitAsync(cancellationToken);
    }

    public Task RemoveAsync(string model, CancellationToken cancellationToken) =>
        _grains.GetGrain<IModelGrain>(model).RemoveAsync().WaitAsync(cancellationToken);

    public async Task<int> ScaleAsync(string model, string component, int replicas, CancellationToken cancellationToken)
    {
        try
        {
            return await _grains.GetGrain<IModelGrain>(model).ScaleAsync(component, replicas).WaitAsync(cancellationToken);
        }
        catch (MmException error) when (error is { Code: MmErrorCode.NotFound, Param: "model" })
        {
            throw NotDeployed(model);
        }
    }

    public async IAsyncEnumerable<DrainProgress> DrainAsync(string node, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        IReadOnlyList<NodeStatus> nodes = (await StatusAsync(cancellationToken)).Nodes;
        NodeStatus target = nodes.FirstOrDefault(known => known.Name == node || known.Address == node)
            ?? throw new MmException(MmErrorCode.NotFound, $"there is no node '{node}'; there are: {string.Join(", ", nodes.Select(known => known.Name))}") { Param = "node" };
        await _grains.GetGrain<INodeGrain>(target.Address).DrainAsync().WaitAsync(cancellationToken);
        await Task.WhenAll(Models.Select(model => _grains.GetGrain<IModelGrain>(model.Name).LookAsync())).WaitAsync(cancellationToken);
        while (true)
        {
            ClusterStatus status = await StatusAsync(cancellationToken);
            StageStatus[] left = [.. status.Stages.Where(stage => stage.Node == target.Address)];
            yield return new DrainProgress(left.Sum(stage => stage.Load.QueueUsed), left.Length, left.Length == 0)
            {
                Problem = status.Models.FirstOrDefault(model => model.Problem is not null && left.Any(stage => stage.Models.Contains(model.Name)))?.Problem,
            };
            if (left.Length == 0)
            {
                yield break;
            }
            await Task.Delay(RetryPause, _time, cancellationToken);
        }
    }

    public async Task<ClusterStatus> StatusAsync(CancellationToken cancellationToken)
    {
        for (int tries = 1; ; tries++)
        {
            try
            {
                return await LookAsync(cancellationToken);
            }
            catch (Exception error) when (Failures.TellsOfLoss(error))
            {
                // The silo of whoever was asked has died; the next call finds or makes another activation.
                if (tries == MostTries)
                {
                    throw Failures.From(error);
                }
                await Task.Delay(RetryPause, _time, cancellationToken);
            }
        }
    }

    private async Task<ClusterStatus> LookAsync(CancellationToken cancellationToken)
    {
        NodeView[] nodes = await _grains.GetGrain<ICatalogGrain>(ICatalogGrain.Key).NodesAsync().WaitAsync(cancellationToken);
        CatalogList catalog = await _grains.GetGrain<ICatalogGrain>(ICatalogGrain.Key).ListAsync(0).WaitAsync(cancellationToken);
        ModelStatus[] models = await Task.WhenAll(catalog.Models.Select(model => _grains.GetGrain<IModelGrain>(model).StatusAsync())).WaitAsync(cancellationToken);
        return new ClusterStatus([.. nodes.Select(node => node.Status)], models, [.. nodes.SelectMany(node => node.Stages).Select(stage => stage.Status)]);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true))
        {
            return;
        }
        await _stop.CancelAsync();
        foreach (RoutedModel model in _routed.Values)
        {
            model.Dispose();
        }
        foreach (ReplicaStream stream in _streams.Values)
        {
            stream.Dispose();
        }
        await _context.DisposeAsync();
        _stop.Dispose();
    }

    private MmException NotDeployed(string model) =>
        new(MmErrorCode.NotFound, $"the model '{model}' is not deployed; deployed are: {string.Join(", ", Models.Select(known => known.Name))}") { Param = "model" };

    private (RoutedModel Model, RoutedRevision Revision) Find(string model, string revision)
    {
        if (!_routed.TryGetValue(model, out RoutedModel? routed))
        {
            throw NotDeployed(model);
        }
        return routed.Find(revision) is { } found ? (routed, found)
            : routed.Current is not null
            ? throw new MmException(MmErrorCode.NotFound, $"the model '{model}' does not run in revision '{revision}'; it runs in: {string.Join(", ", routed.Snapshot?.Revisions ?? [])}") { Param = "revision" }
            : throw new MmException(MmErrorCode.Unavailable, $"the model '{model}' is not ready{(routed.Snapshot?.Problem is { } problem ? $": {problem}" : "; it is being loaded")}")
            {
                RetryAfter = TimeSpan.FromSeconds(1),
            };
    }

    private async Task WatchAsync(CancellationToken stop)
    {
        long version = 0;
        while (!stop.IsCancellationRequested)
        {
            try
            {
                CatalogList catalog = await _grains.GetGrain<ICatalogGrain>(ICatalogGrain.Key).ListAsync(version);
                version = catalog.Version;
                Follow(catalog.Models);
                if (!_connected.Task.IsCompleted)
                {
                    // Not waited for: a model that nobody hears of must not keep this from hearing of the others, nor of its removal.
                    _ = Task.WhenAll(_routed.Values.Select(model => model.Heard)).ContinueWith(_ => _connected.TrySetResult(), TaskScheduler.Default);
                }
            }
            catch (Exception)
            {
                // The catalog's silo may have died, or no silo is up yet.
                await Task.Delay(RetryPause, _time, stop);
            }
        }
    }

    private void Follow(string[] models)
    {
        foreach (string model in models)
        {
            _routed.GetOrAdd(model, name => new RoutedModel(name, _grains, _source, _time, StreamOf, Refresh));
        }
        foreach (string gone in _routed.Keys.Except(models).ToArray())
        {
            if (_routed.TryRemove(gone, out RoutedModel? model))
            {
                model.Dispose();
            }
        }
        Refresh();
    }

    private void Refresh()
    {
        lock (_gate)
        {
            _models = [.. _routed.Values.Select(model => model.Snapshot).OfType<ClusterModel>().OrderBy(model => model.Name, StringComparer.Ordinal)];
        }
    }

    private ReplicaStream StreamOf(string key)
    {
        while (true)
        {
            if (_streams.TryGetValue(key, out ReplicaStream? known) && !known.Ended.IsCompleted)
            {
                return known;
            }
            lock (_gate)
            {
                if (_streams.TryGetValue(key, out ReplicaStream? other) && !other.Ended.IsCompleted)
                {
                    return other;
                }
                // A stream of its own number: what an earlier one missed is not asked for again.
                ReplicaStream stream = new(_grains, key, $"{_context.Gateway}.{Interlocked.Increment(ref _sessions)}", _time);
                _streams[key] = stream;
                _ = stream.Ended.ContinueWith(_ => _streams.TryRemove(KeyValuePair.Create(key, stream)), TaskScheduler.Default);
                return stream;
            }
        }
    }
}
