using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Orleans.Runtime.Messaging;

namespace Orleans.Runtime.Catalog;

/// <summary>
/// Runs the turns of one activation, one at a time, on pool threads. It is the synchronization context of its turns, so
/// that awaits come back without a task of their own, and its scheduler is TaskScheduler.Current, so that StartNew and
/// ContinueWith stay in the activation too.
/// </summary>
internal sealed partial class TurnQueue : SynchronizationContext, IThreadPoolWorkItem
{
    private readonly Lock _lock = new();
    private readonly Queue<Turn> _turns = new();
    private readonly ActivationData _activation;
    private readonly TurnScheduler _scheduler;
    private readonly long _quantum;
    private readonly TimeSpan _warnAfter;
    private readonly TimeProvider _time;
    private bool _scheduled;

    public TurnQueue(ActivationData activation, TurnOptions options)
    {
        _activation = activation;
        _scheduler = new TurnScheduler(this);
        _time = options.Time;
        _quantum = (long)(options.Quantum.TotalSeconds * _time.TimestampFrequency);
        _warnAfter = options.WarnAfter;
    }

    private enum TurnKind
    {
        Post,
        StartRequest,
        CompleteCall,
        RunTask,
    }

    public override void Post(SendOrPostCallback d, object? state) => Enqueue(new Turn(TurnKind.Post, d, state));

    public override void Send(SendOrPostCallback d, object? state) =>
        throw new NotSupportedException("a turn cannot be waited for synchronously.");

    public override SynchronizationContext CreateCopy() => this;

    /// <summary>Starts a request that may run now.</summary>
    public void EnqueueRequest(Request request) => Enqueue(new Turn(TurnKind.StartRequest, null, request));

    /// <summary>Continues after a call that the activation made.</summary>
    public void EnqueueCompletion(Request request) => Enqueue(new Turn(TurnKind.CompleteCall, null, request));

    void IThreadPoolWorkItem.Execute()
    {
        ref Task? current = ref CurrentTask(null);
        Task? outer = current;
        current = _scheduler.Marker;
        try
        {
            RunTurns();
        }
        finally
        {
            current = outer;
        }
    }

    private void Enqueue(Turn turn)
    {
        lock (_lock)
        {
            _turns.Enqueue(turn);
            if (_scheduled)
            {
                return;
            }
            _scheduled = true;
        }
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: true);
    }

    private void RunTurns()
    {
        SynchronizationContext? outer = Current;
        ExecutionContext? clean = ExecutionContext.Capture();
        SetSynchronizationContext(this);
        RuntimeContext.Current = _activation;
        long start = _time.GetTimestamp();
        try
        {
            while (true)
            {
                Turn turn;
                lock (_lock)
                {
                    if (!_turns.TryDequeue(out turn))
                    {
                        _scheduled = false;
                        return;
                    }
                }
                Run(turn);
                // What a turn left in the execution context must not reach the next one.
                if (clean is not null && ExecutionContext.Capture() != clean)
                {
                    ExecutionContext.Restore(clean);
                }
                long now = _time.GetTimestamp();
                if (now - start > _quantum)
                {
                    WarnOfLongTurn(start, now);
                    ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                    return;
                }
            }
        }
        finally
        {
            RuntimeContext.Current = null;
            SetSynchronizationContext(outer);
        }
    }

    private void Run(Turn turn)
    {
        try
        {
            switch (turn.Kind)
            {
                case TurnKind.Post:
                    turn.Callback!(turn.State);
                    break;
                case TurnKind.StartRequest:
                    _activation.Start((Request)turn.State!);
                    break;
                case TurnKind.CompleteCall:
                    ((Request)turn.State!).FinishInTurn();
                    break;
                case TurnKind.RunTask:
                    _scheduler.Run((Task)turn.State!);
                    break;
                default:
                    throw new System.Diagnostics.UnreachableException($"turn kind {turn.Kind}");
            }
        }
        catch (Exception error)
        {
            LogTurnFailed(_activation.Services.Logger, error, _activation.GrainId);
        }
    }

    private void WarnOfLongTurn(long start, long now)
    {
        if (_time.GetElapsedTime(start, now) is var taken && taken > _warnAfter)
        {
            LogLongTurn(_activation.Services.Logger, _activation.GrainId, taken);
        }
    }

    // TaskScheduler.Current is that of the task that runs. A task to run the turns in would be one allocation a call, so the
    // runtime is told instead that the queue's marker runs, one task for the activation's whole life.
    [UnsafeAccessor(UnsafeAccessorKind.StaticField, Name = "t_currentTask")]
    private static extern ref Task? CurrentTask(Task? type);

    [LoggerMessage(EventId = 1101, Level = LogLevel.Error, Message = "A turn of {Grain} ended with an unhandled error.")]
    private static partial void LogTurnFailed(ILogger logger, Exception error, GrainId grain);

    [LoggerMessage(EventId = 1102, Level = LogLevel.Warning, Message = "{Grain} kept its thread for {Taken}.")]
    private static partial void LogLongTurn(ILogger logger, GrainId grain, TimeSpan taken);

    private readonly record struct Turn(TurnKind Kind, SendOrPostCallback? Callback, object? State);

    private sealed class TurnScheduler : TaskScheduler
    {
        private readonly TurnQueue _queue;

        public TurnScheduler(TurnQueue queue)
        {
            _queue = queue;
            Marker = new Task(static () => { }, TaskCreationOptions.DenyChildAttach);
            Marker.Start(this);
        }

        /// <summary>A task of this scheduler that is started and never run.</summary>
        public Task Marker { get; }

        public override int MaximumConcurrencyLevel => 1;

        public void Run(Task task) => TryExecuteTask(task);

        protected override void QueueTask(Task task)
        {
            if (!ReferenceEquals(task, Marker))
            {
                _queue.Enqueue(new Turn(TurnKind.RunTask, null, task));
            }
        }

        protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) =>
            !taskWasPreviouslyQueued && ReferenceEquals(SynchronizationContext.Current, _queue) && TryExecuteTask(task);

        protected override IEnumerable<Task> GetScheduledTasks() => [];
    }
}

/// <summary>What the turns of a silo share.</summary>
internal sealed record TurnOptions(TimeProvider Time, TimeSpan Quantum, TimeSpan WarnAfter);
