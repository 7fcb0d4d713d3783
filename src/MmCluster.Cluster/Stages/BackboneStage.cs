using System.Collections.Concurrent;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Models;

namespace MmCluster.Cluster.Stages;

/// <summary>
/// A backbone replica: an engine whose steps are sorted to the gateways that wait for them. A gateway whose process is gone is given up at once, one that stops
/// reading after <see cref="Patience"/>; its requests are cancelled. Safe to call from any thread.
/// </summary>
internal sealed class BackboneStage : IStage
{
    /// <summary>How long a gateway may be away before its work is freed.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly IEngine _engine;
    private readonly EngineStatistics _statistics;
    private readonly BackboneFacts _facts;
    private readonly TensorLinkEndpoint _link;
    private readonly StageQueue _queue;
    private readonly TimeProvider _time;
    private readonly IDisposable? _weights;
    private volatile Task? _lost;
    private MmException? _loss;
    private readonly ConcurrentDictionary<string, BackboneRequest> _requests = [];
    private readonly ConcurrentDictionary<string, GatewaySession> _sessions = [];
    private readonly List<GatewaySession> _touched = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly GatewayWatch _gateways;
    private readonly ITimer _sweep;
    private readonly Task _reader;
    private readonly StageTimes _times;
    private volatile bool _ended;
    private long _finished;

    /// <summary>Starts reading <paramref name="engine"/>, which it then owns as it does <paramref name="weights"/>.</summary>
    public BackboneStage(
        string key, IEngine engine, EngineStatistics statistics, StageTimes times, BackboneFacts facts, int maxQueue, long bytes, IDisposable? weights, TensorLinkEndpoint link, TimeProvider time)
    {
        _times = times;
        _engine = engine;
        _statistics = statistics;
        _facts = facts;
        _weights = weights;
        _link = link;
        _time = time;
        Bytes = bytes;
        _queue = new StageQueue($"backbone {key}", maxQueue);
        _gateways = new GatewayWatch(link, GiveUp);
        _sweep = time.CreateTimer(_ => GiveUpAbandoned(), null, Patience / 5, Patience / 5);
        _reader = Task.Run(ReadAsync);
    }

    public long Bytes { get; }

    public bool IsIdle => _queue.IsClosed && _requests.IsEmpty;

    /// <summary>What callers must know of it.</summary>
    public BackboneFacts Facts => _facts;

    /// <summary>Why the engine ended, or null while it runs.</summary>
    public MmException? Failure { get; private set; }

    /// <summary>When <paramref name="lost"/> completes, it is of no more use: its requests end with Unavailable and replay elsewhere.</summary>
    public void BreakWhen(Task lost, MmException reason)
    {
        _loss = reason;
        _lost = lost;
        _ = lost.ContinueWith(_ => Break(reason), TaskScheduler.Default);
    }

    /// <inheritdoc/>
    public void Break(MmException reason)
    {
        Failure ??= reason;
        _queue.Close();
        _ = Task.Run(async () => await _engine.DisposeAsync());
    }

    /// <exception cref="MmException">What the engine refuses it for; Unavailable: the queue is full, or the stage is drained.</exception>
    public void Submit(GenerationMessage message)
    {
        int cost = _queue.Enter(message.Sampling.Choices);
        GatewaySession session = SessionOf(message.Gateway);
        BackboneRequest request = new(message, session, cost);
        if (!_requests.TryAdd(request.Id, request))
        {
            _queue.Leave(cost);
            throw new MmException(MmErrorCode.AlreadyExists, $"the submission {request.Id} is in flight");
        }
        lock (session.Requests)
        {
            session.Requests[message.Handle] = request;
        }
        session.Origin ??= message.Origin;
        _gateways.Watch(message.Origin);
        try
        {
            _engine.Submit(request.ToEngineRequest());
            if (_ended)
            {
                throw Failure ?? new MmException(MmErrorCode.Unavailable, "the engine has ended");
            }
        }
        catch
        {
            Forget(request);
            throw;
        }
    }

    /// <summary>Ends submissions of a gateway; unknown ones are ignored. Completes when they are freed: a step in progress ends first.</summary>
    public Task CancelAsync(string gateway, long[] handles)
    {
        List<Task> freed = [];
        foreach (long handle in handles)
        {
            if (_requests.TryGetValue($"{gateway}:{handle}", out BackboneRequest? request))
            {
                _engine.Cancel(request.Id);
                freed.Add(request.Freed);
            }
        }
        return Task.WhenAll(freed);
    }

    /// <summary>Pulls a media item's features for a submission; one that has ended meanwhile is ignored.</summary>
    /// <exception cref="MmException">Unavailable: the features are gone and must be made again.</exception>
    public async Task SupplyAsync(string gateway, long handle, int item, TensorRef features, CancellationToken cancellationToken)
    {
        if (!_requests.TryGetValue($"{gateway}:{handle}", out BackboneRequest? request))
        {
            return;
        }
        request.Supply(item, await _link.PullAsync(features, cancellationToken, request.Message.Trace));
    }

    /// <summary>A gateway's batches after <paramref name="after"/>.</summary>
    public IAsyncEnumerable<StepBatch> ReadAsync(string gateway, long after, CancellationToken cancellationToken) =>
        SessionOf(gateway).ReadAsync(after, cancellationToken);

    public StageView Describe(StageView view) => view with
    {
        Facts = _facts,
        IsBroken = Failure is not null,
        Status = view.Status with
        {
            State = Failure is not null ? StageState.Failed : _queue.IsClosed ? StageState.Draining : StageState.Ready,
            Problem = Failure?.Message,
            Load = _times.Describe(new StageLoad
            {
                Running = _statistics.Running,
                Waiting = _statistics.Waiting,
                QueueUsed = _queue.Used,
                QueueLimit = _queue.Limit,
                KvCacheUsage = _statistics.KvCacheUsage,
                Finished = Interlocked.Read(ref _finished),
                CacheHits = _statistics.PrefixCacheHits,
                CacheQueries = _statistics.PrefixCacheQueries,
            }),
        },
    };

    public void Drain() => _queue.Close();

    public async ValueTask DisposeAsync()
    {
        _queue.Close();
        await _engine.DisposeAsync();
        await _stop.CancelAsync();
        await _reader;
        await _sweep.DisposeAsync();
        _weights?.Dispose();
        _stop.Dispose();
    }

    private async Task ReadAsync()
    {
        try
        {
            await foreach (StepOutputs step in _engine.ReadSteps(_stop.Token))
            {
                if (_lost is { IsCompleted: true })
                {
                    // Before anybody learns of it: what replays must not come back here.
                    Break(_loss!);
                }
                foreach (SequenceOutput output in step.Outputs)
                {
                    Sort(output);
                }
                foreach (GatewaySession session in _touched)
                {
                    session.Flush();
                }
                _touched.Clear();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Disposed.
        }
        catch (Exception error)
        {
            Failure = MmException.From(error);
        }
        Failure ??= _stop.IsCancellationRequested ? null : new MmException(MmErrorCode.Unavailable, "the engine has ended");
        _queue.Close();
        _ended = true;
        foreach (BackboneRequest request in _requests.Values)
        {
            Forget(request);
        }
        foreach (GatewaySession session in _sessions.Values)
        {
            session.End();
        }
    }

    private GatewaySession SessionOf(string gateway)
    {
        GatewaySession session = _sessions.GetOrAdd(gateway, static (name, time) => new GatewaySession(name, time), _time);
        if (_ended)
        {
            // Whoever ended the others may have been here before this one.
            session.End();
        }
        return session;
    }

    private void Sort(in SequenceOutput output)
    {
        if (!_requests.TryGetValue(output.RequestId, out BackboneRequest? request))
        {
            return;
        }
        GatewaySession session = request.Session;
        if (!session.HasEntries)
        {
            _touched.Add(session);
        }
        session.Add(
            new TokenEntry
            {
                Handle = request.Message.Handle,
                Choice = output.Choice,
                Sequence = output.SequenceNumber,
                Count = output.TokenIds.Length,
                Text = output.Text.Length == 0 ? null : output.Text,
                Finish = output.Finish,
                Extra = EntryExtra.Of(output),
            },
            output.TokenIds.Span);
        if (output.Finish is not null && --request.Unfinished == 0)
        {
            Interlocked.Increment(ref _finished);
            Forget(request);
        }
    }

    private void Forget(BackboneRequest request)
    {
        if (_requests.TryRemove(request.Id, out _))
        {
            lock (request.Session.Requests)
            {
                request.Session.Requests.Remove(request.Message.Handle);
            }
            request.End();
            _queue.Leave(request.Cost);
            request.Left();
        }
    }

    private void GiveUpAbandoned()
    {
        foreach (GatewaySession session in _sessions.Values)
        {
            if (session.AbandonedSince is { } since && _time.GetUtcNow() - since >= Patience)
            {
                GiveUp(session);
            }
        }
    }

    private void GiveUp(LinkAddress gateway)
    {
        foreach (GatewaySession session in _sessions.Values.Where(session => session.Origin?.Incarnation == gateway.Incarnation))
        {
            GiveUp(session);
        }
    }

    // Its requests are cancelled; the session goes when none is left.
    private void GiveUp(GatewaySession session)
    {
        session.Lose();
        long[] left;
        lock (session.Requests)
        {
            left = [.. session.Requests.Keys];
        }
        _ = CancelAsync(session.Name, left);
        if (left.Length == 0)
        {
            _sessions.TryRemove(session.Name, out _);
        }
    }
}
