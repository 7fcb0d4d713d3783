using System.Runtime.CompilerServices;
using MmCluster.Cluster.Stages;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models;

namespace MmCluster.Cluster.Routing;

/// <summary>
/// One request over its whole life: media to encoders and the prompt to a backbone at once, features from the ones to the other, entries to the client; another
/// replica where one is lost, and everything let go at the end.
/// </summary>
internal sealed class GenerationCall(RoutedModel model, RoutedRevision revision, ModelRequest request, CallContext context) : ILeaseHolder
{
    private const int MostReplays = 2;

    // How long a replay waits for a replica to come up.
    private static readonly TimeSpan ReplayPatience = TimeSpan.FromSeconds(60);

    private readonly ChoiceProgress _progress = new(request.Sampling.Choices);
    private readonly PreparedRequest _prepared = revision.Front.Prepare(request, revision.Routes);
    private readonly string _lease = $"{context.Gateway}/{request.Id}";
    private readonly SignalWatch[] _signals = WatchesOf(
        [.. revision.Front.Signals.Where(signal => request.OutputMedia?.Contains(signal.Output) ?? true)], request.Sampling.Choices);

    private readonly List<(int Choice, GeneratorCall Call)> _making = [];
    private readonly TaskCompletionSource _admitted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private MediaCall[] _media = [];
    private GeneratorCall[] _generators = []; // replaced, never changed: the heartbeat reads it
    private ulong _affinity;
    private ReplicaStream? _replica;
    private Attempt? _attempt;
    private Task _closed = Task.CompletedTask;
    private long _left; // when its client left; 0 before

    /// <inheritdoc/>
    public string Lease => _lease;

    /// <inheritdoc/>
    public IEnumerable<string> Generators => _generators.Select(generator => generator.Generator).OfType<string>().Distinct();

    /// <inheritdoc/>
    public IEnumerable<string> Encoders => _media.Select(media => media.Encoder).OfType<string>().Distinct();

    /// <summary>Complete when the features of each media item are there, or will not come. Ask for it once.</summary>
    public Task[] Encoded() => [.. Enumerable.Range(0, _prepared.Media.Count).Select(EncodedAsync)];

    public async IAsyncEnumerable<SequenceOutput> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        context.Enter(this);
        using CancellationTokenRegistration leaving = cancellationToken.UnsafeRegister(
            static call => ((GenerationCall)call!).NoteLeft(), this);
        using CancellationTokenSource? stop = _signals.Length == 0 ? null : CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            await AdmitAsync(cancellationToken);
            for (int replays = 0; _progress.Unfinished > 0;)
            {
                Attempt attempt = _attempt!;
                MmException? failure = null;
                while (failure is null && _progress.Unfinished > 0 && await attempt.Entries.WaitToReadAsync(cancellationToken))
                {
                    while (attempt.Entries.TryRead(out SequenceOutput entry))
                    {
                        failure = LossOf(entry);
                        if (failure is not null)
                        {
                            break;
                        }
                        if (!_progress.TryTake(entry))
                        {
                            continue;
                        }
                        if (_signals.Length > 0)
                        {
                            Watch(entry, stop!.Token);
                            // Media come before the end of their choice.
                            foreach (GeneratorCall making in entry.Finish is null ? [] : TakeMaking(entry.Choice))
                            {
                                SequenceOutput place = new(entry.RequestId, entry.Choice, entry.SequenceNumber, default, "", null);
                                await foreach (RequestProgress step in making.StepsAsync(cancellationToken))
                                {
                                    yield return place with { Progress = step };
                                }
                                yield return await OutputAsync(making.Made, place);
                            }
                        }
                        yield return entry;
                    }
                }
                if (_progress.Unfinished == 0)
                {
                    break;
                }
                AttemptEnd end = failure is null ? attempt.End : AttemptEnd.Lost;
                CloseAttempt(cancel: failure is null);
                failure = end switch
                {
                    AttemptEnd.Failed => attempt.Error,
                    AttemptEnd.Lost when ++replays > MostReplays => failure ?? attempt.Error ?? new MmException(MmErrorCode.Unavailable, $"gave up after {MostReplays} lost replicas"),
                    _ => await ReplayAsync(cancellationToken),
                };
                foreach (SequenceOutput last in failure is null ? [] : _progress.Fail(request.Id, failure))
                {
                    yield return last;
                }
            }
        }
        finally
        {
            await (stop?.CancelAsync() ?? Task.CompletedTask);
            CloseAttempt(cancel: _progress.Unfinished > 0);
            _admitted.TrySetCanceled(CancellationToken.None);
            Task freed = Task.WhenAll(_closed, ReleaseAsync());
            context.Leave(this);
            if (_progress.Unfinished > 0)
            {
                // A client's leaving may show in a failing write before anybody cancels.
                long left = Interlocked.Read(ref _left);
                _ = context.MeasureAsync(model.Name, left == 0 ? context.Time.GetTimestamp() : left, freed);
            }
        }
    }

    private void NoteLeft() => Interlocked.Exchange(ref _left, context.Time.GetTimestamp());

    private static SignalWatch[] WatchesOf(SignalOf[] signals, int choices) =>
        signals.Length == 0 ? [] : [.. Enumerable.Range(0, choices).Select(_ => new SignalWatch(signals))];

    private async Task EncodedAsync(int item)
    {
        await _admitted.Task;
        await _media[item].Features;
    }

    private void Watch(in SequenceOutput entry, CancellationToken cancellationToken)
    {
        foreach (SignalOf signal in _signals[entry.Choice].Push(entry.TokenIds))
        {
            var call = new GeneratorCall(model, revision.Routes.Revision, context, signal, _generators.Length, _lease, request);
            _generators = [.. _generators, call];
            call.Begin(cancellationToken);
            _making.Add((entry.Choice, call));
        }
    }

    private GeneratorCall[] TakeMaking(int choice)
    {
        GeneratorCall[] calls = [.. _making.Where(making => making.Choice == choice).Select(making => making.Call)];
        _making.RemoveAll(making => making.Choice == choice);
        return calls;
    }

    // An item that could not be made says so in its place; the text stands.
    private static async Task<SequenceOutput> OutputAsync(Task<MediaOutput> made, SequenceOutput place)
    {
        try
        {
            return place with { Media = await made };
        }
        catch (MmException error)
        {
            return place with { Error = error };
        }
    }

    // A replica that goes down says so, and what is missing cannot be made up for: both are losses like any other.
    private MmException? LossOf(in SequenceOutput entry) => entry.Error is { Retryable: true } lost ? lost
        : _progress.IsBehind(entry) ? new MmException(MmErrorCode.Unavailable, $"entries of request '{request.Id}' were lost")
        : null;

    // Credits in graph order: the encoders', then the backbone's; whoever refuses ends the request before it has begun.
    private async Task AdmitAsync(CancellationToken cancellationToken)
    {
        _affinity = Affinity.Of(_prepared.Prompt);
        if (_prepared.Media.Count > 0)
        {
            _media = [.. _prepared.Media.Select((media, item) => new MediaCall(model, revision.Routes.Revision, media, item, _lease, media.Publish(context.Link, _lease)))];
            await Task.WhenAll(_media.Select(media => media.AdmitAsync(cancellationToken)));
            _admitted.TrySetResult();
        }
        LossPatience patience = new(model);
        while (true)
        {
            try
            {
                await SubmitAsync(patience, cancellationToken);
                return;
            }
            catch (MmException error) when (error.Retryable && patience.IsLeft)
            {
                await patience.WaitAsync(cancellationToken);
            }
        }
    }

    // On the best replica that takes it.
    private async Task SubmitAsync(LossPatience patience, CancellationToken cancellationToken)
    {
        List<string> failed = [];
        MmException? last = null;
        while (true)
        {
            ReplicaStream replica;
            try
            {
                replica = model.Backbone(revision.Routes.Revision, _affinity, failed);
            }
            catch (MmException) when (last is not null)
            {
                throw last;
            }
            var attempt = new Attempt(context.NextHandle(), request.Id, request.Sampling.Choices);
            try
            {
                await replica.SubmitAsync(attempt, MessageOf(attempt, replica), cancellationToken);
                (_replica, _attempt) = (replica, attempt);
                for (int item = 0; item < _media.Length; item++)
                {
                    _ = SupplyAsync(replica, attempt, item);
                }
                return;
            }
            catch (Exception error) when (Failures.IsRetryable(error))
            {
                patience.Note(error);
                last = Failures.From(error);
                failed.Add(replica.Key);
            }
        }
    }

    private GenerationMessage MessageOf(Attempt attempt, ReplicaStream replica) => new()
    {
        Gateway = replica.Session,
        Handle = attempt.Handle,
        Request = request.Id,
        Prompt = _prepared.Prompt,
        DecoderPrompt = _prepared.DecoderPrompt,
        Sampling = _prepared.Sampling,
        Tenant = request.Tenant,
        CacheSalt = request.CacheSalt,
        Priority = request.Priority,
        Deadline = request.Deadline,
        Emitted = _progress.Emitted,
        Trace = StageTelemetry.Current,
        Origin = context.Link.Address,
    };

    // Features from whichever encoder makes them to the attempt's replica. What was made but is gone is made again.
    private async Task SupplyAsync(ReplicaStream replica, Attempt attempt, int item)
    {
        Task<TensorRef> features = _media[item].Features;
        for (int tries = 0; ; tries++)
        {
            TensorRef made;
            try
            {
                made = await features;
            }
            catch (Exception error)
            {
                attempt.Finish(AttemptEnd.Failed, Failures.From(error));
                return;
            }
            try
            {
                await replica.SupplyAsync(attempt, item, made);
                return;
            }
            catch (MmException error) when (error.Retryable && tries < MostReplays)
            {
                features = _media[item].AgainAsync(features);
            }
            catch (Exception error) when (Failures.IsRetryable(error) || error is OperationCanceledException)
            {
                // Whether the replica is lost, comes up anew without the attempt, or this call alone is lost: its stream may live, and the attempt would wait there
                // for ever.
                model.Report(error);
                attempt.Finish(AttemptEnd.Lost, error as MmException);
                return;
            }
            catch (Exception error)
            {
                attempt.Finish(AttemptEnd.Failed, Failures.From(error));
                return;
            }
        }
    }

    /// <summary>Goes on behind what the client has seen, on a replica that is there or comes up in time; else says why not.</summary>
    private async Task<MmException?> ReplayAsync(CancellationToken cancellationToken)
    {
        long start = context.Time.GetTimestamp();
        while (true)
        {
            try
            {
                await SubmitAsync(new LossPatience(model), cancellationToken);
                return null;
            }
            catch (MmException error) when (!error.Retryable)
            {
                return error;
            }
            catch (MmException error)
            {
                if (context.Time.GetElapsedTime(start) > ReplayPatience)
                {
                    return error;
                }
                if (request.Deadline <= context.Time.GetUtcNow())
                {
                    return new MmException(MmErrorCode.DeadlineExceeded, $"request '{request.Id}' reached its deadline");
                }
                model.LookSoon();
                await model.WaitForNewRoutesAsync(TimeSpan.FromMilliseconds(500), cancellationToken);
            }
        }
    }

    private void CloseAttempt(bool cancel)
    {
        if (_attempt is { } attempt)
        {
            _closed = _replica!.CloseAsync(attempt, cancel);
            _attempt = null;
        }
    }

    private Task ReleaseAsync()
    {
        // By what was prepared: its bytes may be leased although no encoder has it.
        if (_prepared.Media.Count + _generators.Length == 0)
        {
            return Task.CompletedTask;
        }
        foreach (MediaCall media in _media)
        {
            media.Release();
        }
        context.Link.Release(_lease);
        return context.ReleaseAtAsync(Encoders, Generators, _lease);
    }
}
