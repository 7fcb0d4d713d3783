using System.Collections.Concurrent;
using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Grains;
using MmCluster.Cluster.Hosting;
using MmCluster.Cluster.Sources;
using MmCluster.Cluster.Stages;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models.Cards;

namespace MmCluster.Cluster.Tests.Routing;

/// <summary>A gateway's side over grains that do what a test says: what fails, fails when it says so.</summary>
internal sealed class FakeStages : IGrainFactory, IAsyncDisposable
{
    public const string Model = "mini";
    /// <summary>The one replica of the backbone.</summary>
    public const string BackboneKey = "mini@r/0";
    private const string Place = "S127.0.0.1:1:1";

    private readonly TimeProvider _time;
    private readonly Lazy<ModelCluster> _cluster;

    public FakeStages(TimeProvider? time = null, long slabBytes = 16 << 20)
    {
        _time = time ?? TimeProvider.System;
        Link = new TensorLinkEndpoint(new TensorLinkOptions { ClusterSecret = "secret", SlabBytes = slabBytes }, _time);
        Backbone = new FakeBackbone(_time);
        MmClientOptions options = new() { ClusterSecret = "secret", CardsFolder = TestCluster.ModelsFolder, StoreFolder = TestCluster.ModelsFolder };
        _cluster = new Lazy<ModelCluster>(() => new ModelCluster(this, Link, new ModelSource(options), _time));
    }

    public TensorLinkEndpoint Link { get; }

    public FakeBackbone Backbone { get; }

    public FakeEncoder Encoder { get; } = new();

    public FakeCatalog Catalog { get; } = new();

    /// <summary>The routes of each model that has any; another never answers.</summary>
    public ConcurrentDictionary<string, ModelRoutes> Routes { get; } = new([KeyValuePair.Create(Model, RoutesOf(Model))]);

    public ModelCluster Cluster => _cluster.Value;

    public async Task<ModelCluster> ConnectAsync()
    {
        await Cluster.ConnectedAsync(TestContext.Current.CancellationToken);
        return Cluster;
    }

    public async Task<List<SequenceOutput>> GenerateAsync(params MediaItem[] media)
    {
        ModelCluster cluster = await ConnectAsync();
        ModelRequest request = new()
        {
            Input = ModelInput.Chat.FromUser("What?", media),
            Sampling = new SamplingParameters { MaxTokens = 1 },
        };
        List<SequenceOutput> entries = [];
        await foreach (SequenceOutput entry in cluster.GenerateAsync(Model, request, TestContext.Current.CancellationToken))
        {
            entries.Add(entry);
        }
        return entries;
    }

    public static MediaItem Picture(int bytes = 100) => new(Modality.Image, new byte[bytes], "picture");

    public TGrainInterface GetGrain<TGrainInterface>(string primaryKey, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithStringKey
    {
        object grain = typeof(TGrainInterface) == typeof(ICatalogGrain) ? Catalog
            : typeof(TGrainInterface) == typeof(IModelGrain) ? new FakeModel(Routes.GetValueOrDefault(primaryKey))
            : typeof(TGrainInterface) == typeof(IEncoderGrain) ? Encoder
            : typeof(TGrainInterface) == typeof(IBackboneGrain) ? Backbone
            : throw new NotSupportedException(typeof(TGrainInterface).Name);
        return (TGrainInterface)grain;
    }

    public async ValueTask DisposeAsync()
    {
        await Cluster.DisposeAsync();
        await Link.DisposeAsync();
    }

    public static ModelRoutes RoutesOf(string model) => new()
    {
        Version = 1,
        Model = model,
        Revision = "r",
        Deployment = new ModelDeployment { Name = model, Source = "mini" },
        Facts = new BackboneFacts(1000, int.MaxValue, DecoderKind.CausalLm, 16),
        Backbones = [new BackboneRoute(BackboneKey, Place)],
        Encoders = [new EncoderRoute("digest/0", Place, "vision_tower", Modality.Image, "digest", 4)],
    };

    TGrainInterface IGrainFactory.GetGrain<TGrainInterface>(Guid primaryKey, string? grainClassNamePrefix) => throw new NotSupportedException();

    TGrainInterface IGrainFactory.GetGrain<TGrainInterface>(long primaryKey, string? grainClassNamePrefix) => throw new NotSupportedException();

    TGrainInterface IGrainFactory.GetGrain<TGrainInterface>(Guid primaryKey, string keyExtension, string? grainClassNamePrefix) => throw new NotSupportedException();

    TGrainInterface IGrainFactory.GetGrain<TGrainInterface>(long primaryKey, string keyExtension, string? grainClassNamePrefix) => throw new NotSupportedException();

    TGrainInterface IGrainFactory.GetGrain<TGrainInterface>(GrainId grainId) => throw new NotSupportedException();

    TGrainObserverInterface IGrainFactory.CreateObjectReference<TGrainObserverInterface>(IGrainObserver obj) => throw new NotSupportedException();

    void IGrainFactory.DeleteObjectReference<TGrainObserverInterface>(IGrainObserver obj) => throw new NotSupportedException();

    /// <summary>Lists what it is told to, once each time.</summary>
    public sealed class FakeCatalog : ICatalogGrain
    {
        private readonly Lock _gate = new();
        private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private CatalogList _list = new(1, [Model]);

        public void Set(params string[] models)
        {
            lock (_gate)
            {
                _list = new CatalogList(_list.Version + 1, models);
                _changed.TrySetResult();
                _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        public async Task<CatalogList> ListAsync(long known)
        {
            while (true)
            {
                Task changed;
                lock (_gate)
                {
                    if (_list.Version != known)
                    {
                        return _list;
                    }
                    changed = _changed.Task;
                }
                await changed;
            }
        }

        public Task AddAsync(string model) => throw new NotSupportedException();

        public Task RemoveAsync(string model) => throw new NotSupportedException();

        /// <summary>What the next calls for nodes fail with.</summary>
        public ConcurrentQueue<Exception> Failures { get; } = [];

        public Task<NodeView[]> NodesAsync() =>
            Failures.TryDequeue(out Exception? failure) ? Task.FromException<NodeView[]>(failure) : Task.FromResult<NodeView[]>([]);
    }

    private sealed class FakeModel(ModelRoutes? routes) : IModelGrain
    {
        public Task<ModelRoutes> RoutesAsync(long known) =>
            routes is not null && routes.Version != known ? Task.FromResult(routes) : new TaskCompletionSource<ModelRoutes>().Task;

        public Task LookAsync() => Task.CompletedTask;

        public Task DeployAsync(ModelDeployment deployment) => throw new NotSupportedException();

        public Task RemoveAsync() => throw new NotSupportedException();

        public Task<int> ScaleAsync(string component, int replicas) => throw new NotSupportedException();

        public Task<ModelStatus> StatusAsync() => throw new NotSupportedException();
    }
}

/// <summary>The life of a stage is not what these tests are about.</summary>
internal abstract class FakeStage : IStageGrain
{
    public Task LoadAsync(StageSpec spec) => throw new NotSupportedException();

    public Task DrainAsync() => throw new NotSupportedException();

    public Task<bool> DetachAsync(string model, string revision) => throw new NotSupportedException();

    public Task UnloadAsync() => throw new NotSupportedException();
}

/// <summary>An encoder that takes everything in.</summary>
internal sealed class FakeEncoder : FakeStage, IEncoderGrain
{
    /// <summary>What comes of an item.</summary>
    public Func<Task<EncodeReply>> Result { get; set; } = () => Task.FromResult(new EncodeReply(null));

    public ConcurrentQueue<string> Renewed { get; } = [];

    public ConcurrentQueue<string> Submitted { get; } = [];

    public Task SubmitAsync(EncodeMessage message)
    {
        Submitted.Enqueue(message.Request);
        return Task.CompletedTask;
    }

    public Task<EncodeReply> ResultAsync(string request, int item) => Result();

    public Task RenewAsync(string[] requests)
    {
        foreach (string request in requests)
        {
            Renewed.Enqueue(request);
        }
        return Task.CompletedTask;
    }

    public Task ReleaseAsync(string[] requests) => Task.CompletedTask;
}

/// <summary>A backbone whose batches are a test's.</summary>
internal sealed class FakeBackbone(TimeProvider time) : FakeStage, IBackboneGrain
{
    private readonly ConcurrentDictionary<string, GatewaySession> _sessions = [];

    /// <summary>Whether a stream may begin.</summary>
    public TaskCompletionSource Begin { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Breaks the streams when completed with an exception.</summary>
    public TaskCompletionSource Break { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ConcurrentQueue<GenerationMessage> Submitted { get; } = [];

    public ConcurrentQueue<long> Cancelled { get; } = [];

    /// <summary>What comes of a supply.</summary>
    public Func<string, long, Task> Supply { get; set; } = (_, _) => Task.CompletedTask;

    public GatewaySession Session(string gateway) => _sessions.GetOrAdd(gateway, name => new GatewaySession(name, time));

    /// <summary>Whoever comes next finds another activation, without the sessions of this one.</summary>
    public void Restart() => _sessions.Clear();

    /// <summary>Ends a submission well.</summary>
    public void Finish(string gateway, long handle)
    {
        Session(gateway).Add(new TokenEntry { Handle = handle, Count = 1, Text = "x", Finish = FinishReason.Length }, [7]);
        Session(gateway).Flush();
    }

    public Task SubmitAsync(GenerationMessage message)
    {
        Submitted.Enqueue(message);
        return Task.CompletedTask;
    }

    public Task CancelAsync(string gateway, long[] handles)
    {
        foreach (long handle in handles)
        {
            Cancelled.Enqueue(handle);
        }
        return Task.CompletedTask;
    }

    public Task SupplyAsync(string gateway, long handle, int item, TensorRef features) => Supply(gateway, handle);

    public async IAsyncEnumerable<StepBatch> ReadAsync(string gateway, long after, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Begin.Task.WaitAsync(cancellationToken);
        Task broken = Break.Task;
        await using IAsyncEnumerator<StepBatch> batches = Session(gateway).ReadAsync(after, cancellationToken).GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            Task<bool> next = batches.MoveNextAsync().AsTask();
            if (await Task.WhenAny(next, broken) == broken)
            {
                await broken;
            }
            if (!await next)
            {
                yield break;
            }
            yield return batches.Current;
        }
    }
}
