using System.Collections.Concurrent;

namespace MmCluster.Gateway.Tests;

/// <summary>Time that moves only when told; timers fire on the caller's thread. Timestamps move with it.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<Timer> _timers = [];
    private readonly ConcurrentDictionary<TimeSpan, TaskCompletionSource> _waits = new();
    private DateTimeOffset _now = DateTimeOffset.UnixEpoch;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => _now;

    public override long GetTimestamp() => _now.Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, () => callback(state));
        timer.Change(dueTime, period);
        lock (_gate)
        {
            _timers.Add(timer);
        }
        _waits.GetOrAdd(dueTime, NewWait).TrySetResult();
        return timer;
    }

    /// <summary>Done once a timer of that length waits.</summary>
    public Task WaitsAsync(TimeSpan length) => _waits.GetOrAdd(length, NewWait).Task.WaitAsync(TestContext.Current.CancellationToken);

    public void Advance(TimeSpan by)
    {
        _now += by;
        Timer[] due;
        lock (_gate)
        {
            due = [.. _timers.Where(timer => timer.Due <= _now)];
        }
        foreach (Timer timer in due)
        {
            timer.Fire();
        }
    }

    private static TaskCompletionSource NewWait(TimeSpan length) => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Timer(ManualTime time, Action callback) : ITimer
    {
        public DateTimeOffset? Due { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Due = dueTime == Timeout.InfiniteTimeSpan ? null : time._now + dueTime;
            return true;
        }

        public void Fire()
        {
            Due = null;
            callback();
        }

        public void Dispose() => Due = null;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
