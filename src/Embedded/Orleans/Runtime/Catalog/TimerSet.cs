using Microsoft.Extensions.Logging;
using Orleans.Runtime.Messaging;
using Orleans.Serialization;

namespace Orleans.Runtime.Catalog;

/// <summary>The timers of one activation; they end with it.</summary>
internal sealed class TimerSet(ActivationData activation) : IDisposable
{
    private readonly HashSet<GrainTimer> _timers = [];
    private bool _ended;

    public IGrainTimer Add<TState>(Func<TState, CancellationToken, Task> callback, TState state, GrainTimerCreationOptions options)
    {
        GrainTimer timer = new(activation, this, token => callback(state, token), options);
        lock (_timers)
        {
            ObjectDisposedException.ThrowIf(_ended, activation);
            _timers.Add(timer);
        }
        timer.Change(options.DueTime, options.Period);
        return timer;
    }

    public void Remove(GrainTimer timer)
    {
        lock (_timers)
        {
            _timers.Remove(timer);
        }
    }

    public void Dispose()
    {
        GrainTimer[] left;
        lock (_timers)
        {
            _ended = true;
            left = [.. _timers];
        }
        foreach (GrainTimer timer in left)
        {
            timer.Dispose();
        }
    }
}

/// <summary>A timer whose tick is a request of its own activation, so that the rules for turns hold for it too.</summary>
internal sealed partial class GrainTimer : IGrainTimer
{
    private readonly ActivationData _activation;
    private readonly TimerSet _owner;
    private readonly Func<CancellationToken, Task> _callback;
    private readonly bool _interleave;
    private readonly bool _keepAlive;
    private readonly CancellationTokenSource _ended = new();
    private readonly ITimer _timer;
    private readonly Lock _lock = new();
    private TimeSpan _period;
    private bool _running;
    private TimeSpan? _changedDue; // of a Change since the tick began

    public GrainTimer(ActivationData activation, TimerSet owner, Func<CancellationToken, Task> callback, GrainTimerCreationOptions options)
    {
        _activation = activation;
        _owner = owner;
        _callback = callback;
        _interleave = options.Interleave;
        _keepAlive = options.KeepAlive;
        _timer = activation.Services.Time.CreateTimer(
            static state => ((GrainTimer)state!).OnDue(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Change(TimeSpan dueTime, TimeSpan period)
    {
        lock (_lock)
        {
            _period = period <= TimeSpan.Zero ? Timeout.InfiniteTimeSpan : period;
            if (_running)
            {
                // The due time counts from the tick's end: before it, a tick would find the timer busy.
                _changedDue = dueTime;
            }
            else
            {
                _timer.Change(dueTime, Timeout.InfiniteTimeSpan);
            }
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        _ended.Cancel();
        _owner.Remove(this);
    }

    private void OnDue()
    {
        lock (_lock)
        {
            if (_ended.IsCancellationRequested || _running)
            {
                return;
            }
            _running = true;
            _changedDue = null;
        }
        if (!_activation.TryReceive(new TickRequest(this)))
        {
            Dispose();
        }
    }

    private async Task TickAsync()
    {
        try
        {
            if (!_ended.IsCancellationRequested)
            {
                await _callback(_ended.Token);
            }
        }
        catch (Exception error) when (error is not OperationCanceledException || !_ended.IsCancellationRequested)
        {
            LogTickFailed(_activation.Services.Logger, error, _activation.GrainId);
        }
        catch (OperationCanceledException)
        {
        }
        lock (_lock)
        {
            _running = false;
            if (!_ended.IsCancellationRequested)
            {
                _timer.Change(_changedDue ?? _period, Timeout.InfiniteTimeSpan);
            }
        }
    }

    [LoggerMessage(EventId = 1301, Level = LogLevel.Error, Message = "A timer of {Grain} failed; it goes on.")]
    private static partial void LogTickFailed(ILogger logger, Exception error, GrainId grain);

    private sealed class TickRequest : Request
    {
        private static readonly MethodDescriptor Alone = new("sys.timer", "Tick", MethodTraits.OneWay, 0, () => throw new NotSupportedException("a tick is never sent."));
        private static readonly MethodDescriptor Beside = new("sys.timer", "TickBeside", MethodTraits.OneWay | MethodTraits.AlwaysInterleave, 0, () => throw new NotSupportedException("a tick is never sent."));

        private readonly GrainTimer _timer;

        public TickRequest(GrainTimer timer)
        {
            _timer = timer;
            Runtime = timer._activation.Services.Runtime;
            Target = timer._activation.GrainId;
        }

        public override MethodDescriptor Method => _timer._interleave ? Beside : Alone;

        public override void Run(IRequestHost host, object target) => RunAsync();

        public override void WriteArguments(MessageWriter writer) => throw Sent();

        public override void ReadArguments(MessageReader reader) => throw Sent();

        public override void CopyArguments(CopyContext context)
        {
        }

        public override void WriteResult(MessageWriter writer) => throw Sent();

        public override void ReadResult(MessageReader reader, WireType wire) => throw Sent();

        protected override void Finish()
        {
        }

        private static NotSupportedException Sent() => new("a tick is never sent.");

        private async void RunAsync()
        {
            await _timer.TickAsync();
            _timer._activation.OnTickEnded(this, _timer._keepAlive);
        }
    }
}
