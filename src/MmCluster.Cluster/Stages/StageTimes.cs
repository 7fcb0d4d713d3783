using MmCluster.Cluster.Status;
using MmCluster.Engine;

namespace MmCluster.Cluster.Stages;

/// <summary>How long a stage's work waits and takes, for its load. Safe to call from any thread; telling it allocates nothing.</summary>
internal sealed class StageTimes : IStageTimings
{
    private readonly Counter _queue = new();
    private readonly Counter _busy = new();

    public void Began(TimeSpan waited) => _queue.Add(waited);

    public void Computed(TimeSpan took) => _busy.Add(took);

    /// <summary><paramref name="load"/> with what was told so far.</summary>
    public StageLoad Describe(StageLoad load)
    {
        DurationCounts busy = _busy.Read();
        return load with { QueueTimes = _queue.Read(), BusyTimes = busy, BusySeconds = busy.SumSeconds };
    }

    private sealed class Counter
    {
        private readonly Lock _gate = new();
        private readonly long[] _counts = new long[DurationCounts.Bounds.Count + 1];
        private TimeSpan _sum;

        public void Add(TimeSpan duration)
        {
            double seconds = duration.TotalSeconds;
            int bucket = 0;
            while (bucket < DurationCounts.Bounds.Count && seconds > DurationCounts.Bounds[bucket])
            {
                bucket++;
            }
            lock (_gate)
            {
                _counts[bucket]++;
                _sum += duration;
            }
        }

        public DurationCounts Read()
        {
            lock (_gate)
            {
                return new DurationCounts([.. _counts], _sum.TotalSeconds);
            }
        }
    }
}
