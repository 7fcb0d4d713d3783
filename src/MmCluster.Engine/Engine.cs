using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using MmCluster.Engine.Scheduling;
using MmCluster.Models;

namespace MmCluster.Engine;

/// <summary>
/// An engine on its own thread: callers post messages, the thread admits, runs and commits steps, a reader takes the outputs. The thread pauses while
/// <see cref="EngineOptions.OutputBuffer"/> steps of outputs wait.
/// </summary>
public sealed class Engine : IEngine
{
    private readonly IModelExecutor _executor;
    private readonly EngineCore _core;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, bool> _ids = [];
    private readonly ConcurrentQueue<EngineMessage> _inbox = new();
    private readonly AutoResetEvent _work = new(false);
    private readonly AutoResetEvent _space = new(false);
    private readonly Channel<StepOutputs> _ready;
    private readonly ConcurrentQueue<StepOutputs> _free = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ITimer _alarm;
    private StepOutputs _outputs = new();
    private DateTimeOffset? _alarmAt;
    private volatile bool _stopping;
    private int _reading;

    /// <summary>Starts an engine over <paramref name="executor"/>, which it then owns.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The options do not fit each other or the executor.</exception>
    public Engine(IModelExecutor executor, EngineOptions options, TimeProvider? time = null)
    {
        _executor = executor;
        _time = time ?? TimeProvider.System;
        _core = new EngineCore(executor, options, _time)
        {
            Ended = id => _ids.TryRemove(id, out _),
            MediaSettled = request => Post(new EngineMessage.MediaChanged(request)),
        };
        _ready = Channel.CreateBounded<StepOutputs>(new BoundedChannelOptions(Math.Max(1, options.OutputBuffer)) { SingleWriter = true });
        _alarm = _time.CreateTimer(state => ((AutoResetEvent)state!).Set(), _work, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        new Thread(Loop) { IsBackground = true, Name = "engine" }.Start();
    }

    /// <summary>Counters for metrics.</summary>
    public EngineStatistics Statistics => _core.Statistics;

    /// <summary>What the executor holds.</summary>
    public ExecutorDescription Model => _core.Model;

    /// <summary>Longest sequence, prompt and output together.</summary>
    public int MaxLength => _core.MaxLength;

    /// <inheritdoc/>
    public void Submit(EngineRequest request)
    {
        if (_stopping)
        {
            throw new MmException(MmErrorCode.Unavailable, "the engine is shutting down");
        }
        if (_ids.Count >= _core.Options.MaxQueue)
        {
            throw new MmException(MmErrorCode.ResourceExhausted, $"{_core.Options.MaxQueue} requests are queued or running; try again later");
        }
        RequestState prepared = _core.Prepare(request);
        if (!_ids.TryAdd(request.Id, true))
        {
            throw new MmException(MmErrorCode.AlreadyExists, $"a request with id '{request.Id}' is in flight");
        }
        Post(new EngineMessage.Submit(prepared));
    }

    /// <inheritdoc/>
    public void Cancel(string requestId) => Post(new EngineMessage.Cancel(requestId));

    /// <inheritdoc/>
    public async IAsyncEnumerable<StepOutputs> ReadSteps([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _reading, 1) != 0)
        {
            throw new InvalidOperationException("the engine's outputs have a reader already");
        }
        try
        {
            while (await _ready.Reader.WaitToReadAsync(cancellationToken))
            {
                while (_ready.Reader.TryRead(out StepOutputs? batch))
                {
                    _space.Set();
                    try
                    {
                        yield return batch;
                    }
                    finally
                    {
                        batch.Outputs.Clear();
                        batch.Ids.Clear();
                        _free.Enqueue(batch);
                    }
                }
            }
        }
        finally
        {
            Volatile.Write(ref _reading, 0);
        }
    }

    /// <summary>Ends all requests with Unavailable, stops the thread and disposes the executor. Outputs already made can still be read.</summary>
    public async ValueTask DisposeAsync()
    {
        _stopping = true;
        _work.Set();
        _space.Set();
        await _ended.Task;
        await _alarm.DisposeAsync();
    }

    private void Post(EngineMessage message)
    {
        _inbox.Enqueue(message);
        _work.Set();
    }

    private void Loop()
    {
        MmException end = new(MmErrorCode.Unavailable, "the engine is shutting down");
        try
        {
            while (!_stopping)
            {
                Admit();
                bool busy = _core.Step(_outputs);
                Publish();
                if (!busy)
                {
                    WaitForWork();
                }
            }
        }
        catch (Exception defect)
        {
            end = new MmException(MmErrorCode.Internal, $"the engine has failed: {defect.Message}", defect);
        }
        _stopping = true;
        _core.EndAll(end, _outputs);
        // The last word must not wait for a reader that is gone.
        if (_outputs.Outputs.Count > 0)
        {
            _ready.Writer.TryWrite(_outputs);
        }
        _ready.Writer.TryComplete(end.Code == MmErrorCode.Internal ? end : null);
        _executor.Dispose();
        _ended.TrySetResult();
    }

    private void Admit()
    {
        while (_inbox.TryDequeue(out EngineMessage? message))
        {
            switch (message)
            {
                case EngineMessage.Submit submit:
                    _core.Add(submit.Request, _outputs);
                    break;
                case EngineMessage.Cancel cancel:
                    _core.Cancel(cancel.Id, _outputs);
                    break;
                case EngineMessage.MediaChanged media:
                    _core.MediaChanged(media.Request, _outputs);
                    break;
                default:
                    throw new System.Diagnostics.UnreachableException($"no handler for {message.GetType().Name}");
            }
        }
        _core.ExpireDeadlines(_outputs);
    }

    private void Publish()
    {
        if (_outputs.Outputs.Count == 0)
        {
            return;
        }
        while (!_ready.Writer.TryWrite(_outputs))
        {
            if (_stopping)
            {
                return;
            }
            _space.WaitOne();
        }
        _outputs = _free.TryDequeue(out StepOutputs? used) ? used : new StepOutputs();
    }

    private void WaitForWork()
    {
        DateTimeOffset? due = _core.NextDeadline();
        if (due != _alarmAt)
        {
            _alarmAt = due;
            TimeSpan delay = due is { } at ? at - _time.GetUtcNow() : Timeout.InfiniteTimeSpan;
            _alarm.Change(due is null ? delay : delay > TimeSpan.Zero ? delay : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }
        _work.WaitOne();
    }

    /// <summary>What callers tell the engine's thread.</summary>
    private abstract record EngineMessage
    {
        public sealed record Submit(RequestState Request) : EngineMessage;

        public sealed record Cancel(string Id) : EngineMessage;

        public sealed record MediaChanged(RequestState Request) : EngineMessage;
    }
}
