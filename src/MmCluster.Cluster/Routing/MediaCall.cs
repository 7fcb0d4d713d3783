using MmCluster.Cluster.Grains;
using MmCluster.Cluster.Stages;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Models;

namespace MmCluster.Cluster.Routing;

/// <summary>
/// One media item's way through an encoder. Its bytes stay leased here until the request ends, so that a failed encoder is replaced by another without the client's help.
/// </summary>
internal sealed class MediaCall(RoutedModel model, string revision, PreparedMedia media, int item, string lease, TensorRef bytes)
{
    private const int MostTries = 3;

    private readonly Lock _gate = new();
    private Task<TensorRef>? _features;
    private int _tries;
    private string? _encoder;
    private bool _released;

    /// <summary>The encoder that has it, or null.</summary>
    public string? Encoder
    {
        get
        {
            lock (_gate)
            {
                return _encoder;
            }
        }
    }

    /// <summary>The features, leased until the request is released.</summary>
    public Task<TensorRef> Features
    {
        get
        {
            lock (_gate)
            {
                return _features ?? throw new InvalidOperationException("the item was not admitted");
            }
        }
    }

    /// <summary>Has an encoder take it in, trying others where one is full or gone; features that came with the request are there already.</summary>
    /// <exception cref="MmException">Unavailable: none takes it.</exception>
    public async Task AdmitAsync(CancellationToken cancellationToken)
    {
        // A submission that is left on its way is let go of when it arrives: the request is released by then.
        Task<TensorRef> features = media.Item.IsFeatures ? Task.FromResult(bytes) : PollAsync(await SubmitAsync([], cancellationToken).WaitAsync(cancellationToken));
        lock (_gate)
        {
            _features = features;
        }
    }

    /// <summary>The features of an earlier attempt are gone: has them made again.</summary>
    public Task<TensorRef> AgainAsync(Task<TensorRef> gone)
    {
        lock (_gate)
        {
            if (_released)
            {
                // They are gone because the request is: nobody would let go of what is made now.
                return Task.FromException<TensorRef>(Ended());
            }
            // Whoever comes second shares the first one's new try.
            return _features == gone ? _features = media.Item.IsFeatures ? gone : SubmitAndPollAsync() : _features!;
        }
    }

    /// <summary>The request has ended.</summary>
    public void Release()
    {
        lock (_gate)
        {
            _released = true;
        }
    }

    private static MmException Ended() => new(MmErrorCode.Cancelled, "the request has ended");

    private async Task<TensorRef> SubmitAndPollAsync() => await PollAsync(await SubmitAsync([], CancellationToken.None));

    private async Task<TensorRef> PollAsync(string encoder)
    {
        List<string> failed = [];
        while (true)
        {
            try
            {
                IEncoderGrain grain = model.Grains.GetGrain<IEncoderGrain>(encoder);
                while (true)
                {
                    lock (_gate)
                    {
                        if (_released)
                        {
                            throw Ended();
                        }
                    }
                    EncodeReply reply = await grain.ResultAsync(lease, item);
                    if (reply.Features is { } features)
                    {
                        return features;
                    }
                }
            }
            catch (Exception error) when (Failures.IsRetryable(error) && Interlocked.Increment(ref _tries) < MostTries)
            {
                model.Report(error);
                failed.Add(encoder);
                encoder = await SubmitAsync(failed, CancellationToken.None);
            }
        }
    }

    // A full queue is an answer; a lost encoder is waited for, as its replacement comes up without the client's help.
    private async Task<string> SubmitAsync(IReadOnlyCollection<string> failed, CancellationToken cancellationToken)
    {
        LossPatience patience = new(model);
        while (true)
        {
            try
            {
                return await SubmitOnceAsync(failed, patience);
            }
            catch (MmException error) when (error.Retryable && patience.IsLeft)
            {
                await patience.WaitAsync(cancellationToken);
            }
        }
    }

    // The replica that is likely to have it cached first, then the others.
    private async Task<string> SubmitOnceAsync(IReadOnlyCollection<string> failed, LossPatience patience)
    {
        MmException? last = null;
        EncoderRoute[] routes = model.Encoders(revision, media);
        foreach (EncoderRoute route in routes.OrderBy(route => failed.Contains(route.Key)))
        {
            try
            {
                await model.Grains.GetGrain<IEncoderGrain>(route.Key).SubmitAsync(new EncodeMessage
                {
                    Request = lease,
                    Item = item,
                    Model = model.Name,
                    Revision = revision,
                    Key = media.Key,
                    Bytes = bytes,
                    Name = media.Item.Name,
                    Trace = StageTelemetry.Current,
                });
                bool late;
                lock (_gate)
                {
                    _encoder = route.Key;
                    late = _released;
                }
                if (late)
                {
                    // The release went out before this arrived.
                    await model.Grains.GetGrain<IEncoderGrain>(route.Key).ReleaseAsync([lease]);
                    throw Ended();
                }
                return route.Key;
            }
            catch (Exception error) when (Failures.IsRetryable(error))
            {
                patience.Note(error);
                last = Failures.From(error);
            }
        }
        throw last ?? new MmException(MmErrorCode.Unavailable, $"no encoder of '{model.Name}' is ready") { RetryAfter = TimeSpan.FromSeconds(1) };
    }
}
