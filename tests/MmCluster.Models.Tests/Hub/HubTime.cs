using System.Collections.Concurrent;

namespace MmCluster.Models.Tests.Hub;

/// <summary>A clock on which every wait is over at once, and is remembered, but for stall timers, which end when <see cref="Stall"/> says so.</summary>
internal sealed class HubTime(TimeSpan stall) : TimeProvider
{
    private readonly ConcurrentDictionary<Timer, bool> _stalls = new();

    public ConcurrentQueue<TimeSpan> Waits { get; } = new();

    public void Stall()
    {
        foreach (Timer timer in _stalls.Keys)
        {
            timer.Fire();
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class Timer(HubTime owner, Action fire) : ITimer
    {
        public void Fire() => fire();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime == owner._stall)
            {
                owner._stalls[this] = true;
            }
            else if (dueTime != Timeout.InfiniteTimeSpan)
            {
                owner.Waits.Enqueue(dueTime);
                ThreadPool.QueueUserWorkItem(_ => fire());
            }
            return true;
        }

        public void Dispose() => owner._stalls.TryRemove(this, out _);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }

    private readonly TimeSpan _stall = stall;
}
