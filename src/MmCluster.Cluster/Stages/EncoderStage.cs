using System.Collections.Concurrent;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Engine.Encoders;
using MmCluster.Media.Images;
using MmCluster.Models;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Stages;

/// <summary>
/// An encoder replica, shared by all models whose encoder has the same digest. Items of all requests and models are encoded in batches; an item is
/// encoded once however many models ask for it. Safe to call from any thread.
/// </summary>
internal sealed class EncoderStage : IStage
{
    private readonly Device _device;
    private readonly EncoderBatcher _batcher;
    private readonly ImagePreprocessing _preprocessing;
    private readonly PictureReader _reader = new();
    private readonly EncoderOptions _options;
    private readonly TensorLinkEndpoint _link;
    private readonly StageQueue _queue;
    private readonly TimeProvider _time;
    private readonly RequestJobs<EncoderJob> _jobs;
    private readonly ConcurrentDictionary<string, EncoderUser> _users = [];
    private long _finished;
    private readonly StageTimes _times = new();

    /// <summary>Starts a stage with its first model, whose encoder serves the others too.</summary>
    public EncoderStage(string key, EncoderUser first, ImagePreprocessing preprocessing, int maxQueue, EncoderOptions options, TensorLinkEndpoint link, TimeProvider time, long bytes)
    {
        _preprocessing = preprocessing;
        _options = options;
        _link = link;
        _time = time;
        Bytes = bytes;
        _queue = new StageQueue($"encoder {key}", maxQueue);
        _users[UserKey(first.Name, first.Revision)] = first;
        MediaPath path = first.Path;
        _device = first.Device;
        _batcher = new EncoderBatcher(input => Encode(path, input), options with { Timings = _times }, _device);
        _jobs = new RequestJobs<EncoderJob>(link, time);
        Positions = path.Encoder.Spec.Positions;
    }

    public long Bytes { get; }

    /// <summary>Features an item gives before any projector.</summary>
    public int Positions { get; }

    public bool IsIdle => _queue.IsClosed && _queue.Used == 0;

    /// <summary>Options of the batchers of models that join later.</summary>
    public EncoderOptions Options => _options;

    /// <summary>Lets a further model use the encoder.</summary>
    public void Attach(EncoderUser user) => _users[UserKey(user.Name, user.Revision)] = user;

    /// <summary>Takes a model back that has left. False where it has to be loaded.</summary>
    public bool TryReturn(string model, string revision)
    {
        if (!_users.TryGetValue(UserKey(model, revision), out EncoderUser? user))
        {
            return false;
        }
        user.IsGone = false;
        return true;
    }

    /// <summary>A model uses it no more. True when no model is left.</summary>
    public bool Detach(string model, string revision)
    {
        // The first one's encoder serves all, so its user stays until the stage goes; new requests do not name it any more.
        _users.TryGetValue(UserKey(model, revision), out EncoderUser? user);
        if (user is not null)
        {
            user.IsGone = true;
        }
        return _users.Values.All(other => other.IsGone);
    }

    /// <summary>Takes an item in; its result is asked for by <see cref="ResultAsync"/>. A second submission of an item is ignored.</summary>
    /// <exception cref="MmException">Unavailable: the queue is full, the stage is drained, or the model does not use it.</exception>
    public void Submit(EncodeMessage message)
    {
        if (!_users.TryGetValue(UserKey(message.Model, message.Revision), out EncoderUser? user))
        {
            throw new MmException(MmErrorCode.Unavailable, $"model '{message.Model}' does not use this encoder (yet)");
        }
        if (_jobs.Has(message.Request, message.Item))
        {
            return;
        }
        var job = new EncoderJob(message, _queue, _queue.Enter(1));
        _jobs.Add(message.Request, message.Item, job, message.Bytes.Owner);
        job.Start(started => FeaturesAsync(started, user), _link);
        // A fault is told to whoever asks for the result; that nobody does is no defect.
        _ = job.Done.ContinueWith(done => _ = done.Exception, TaskScheduler.Default);
    }

    /// <summary>An item's features, or null while they are not there after <paramref name="patience"/>.</summary>
    /// <exception cref="MmException">What is wrong with the item; Unavailable: it is not known here.</exception>
    public async Task<TensorRef?> ResultAsync(string request, int item, TimeSpan patience)
    {
        TensorRef? features = await _jobs.ResultAsync(request, item, job => job.Done, patience);
        if (features is not null)
        {
            Interlocked.Increment(ref _finished);
        }
        return features;
    }

    /// <summary>Keeps the features of requests that go on.</summary>
    public void Renew(IEnumerable<string> requests) => _jobs.Renew(requests);

    /// <summary>Ends requests: what is queued or encoded for nobody else stops, leases end.</summary>
    public void Release(IEnumerable<string> requests) => _jobs.Release(requests);

    public StageView Describe(StageView view) => view with
    {
        Uses = [.. _users.Values.Where(user => !user.IsGone).Select(user => new EncoderUse(user.Name, user.Revision, view.Status.Component, user.Path.Positions, true)
        {
            Width = user.Path.Width,
            InputHeight = user.Path.Encoder.Spec.InputHeight,
            InputWidth = user.Path.Encoder.Spec.InputWidth,
        })],
        Status = view.Status with
        {
            Models = [.. _users.Values.Where(user => !user.IsGone).Select(user => user.Name).Distinct()],
            State = _queue.IsClosed ? StageState.Draining : StageState.Ready,
            Load = _times.Describe(new StageLoad
            {
                Running = _queue.Used,
                QueueUsed = _queue.Used,
                QueueLimit = _queue.Limit,
                Finished = Interlocked.Read(ref _finished),
                CacheHits = _batcher.Hits,
                CacheQueries = _batcher.Queries,
                CacheHeld = _batcher.HeldItems + _users.Values.Sum(user => user.HeldItems),
            }),
        },
    };

    public void Drain() => _queue.Close();

    // What is being encoded fails by itself: every call on the device does.
    public void Break(MmException reason) => _queue.Close();

    public async ValueTask DisposeAsync()
    {
        _queue.Close();
        await _jobs.DisposeAsync();
        await _batcher.DisposeAsync();
        foreach (EncoderUser user in _users.Values)
        {
            await user.DisposeAsync();
        }
    }

    private static string UserKey(string model, string revision) => $"{model}@{revision}";

    private Tensor Encode(MediaPath path, Tensor input) => GpuFaults.Told(_device, () => path.Encoder.Encode(input).To(Device.Cpu).To(DType.F32));

    private Task<Tensor> FeaturesAsync(EncoderJob job, EncoderUser user)
    {
        EncoderLease encoded = job.Keep(_batcher.Get(job.Message.Key, stop => Task.Run(() => PrepareAsync(job.Message, stop), stop)));
        return user.ProjectAsync(job, encoded.Features);
    }

    private async Task<EncoderInput> PrepareAsync(EncodeMessage message, CancellationToken stop)
    {
        using PulledTensor bytes = await _link.PullAsync(message.Bytes, stop, message.Trace);
        if (bytes.Tensor.DType == DType.F32)
        {
            // Preprocessed by its sender.
            (int height, int width) = (bytes.Tensor.Size(1), bytes.Tensor.Size(2));
            return new EncoderInput(bytes.Tensor.AsReadOnlySpan<float>().ToArray(), [bytes.Tensor.Size(0), height, width], (long)height * width);
        }
        using Picture picture = await _reader.DecodeAsync(bytes.Tensor.AsReadOnlySpan<byte>().ToArray(), message.Name, stop);
        using var scope = new TensorScope();
        Tensor input = _preprocessing.Process(picture);
        return new EncoderInput(input.AsReadOnlySpan<float>().ToArray(), [3, input.Size(2), input.Size(3)], (long)input.Size(2) * input.Size(3));
    }
}
