using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Status;

namespace MmCluster.Cluster.Placement;

/// <summary>
/// How many replicas the components of a model should have, between what the operator allows, by the load of each alone: one more when their queues are half full
/// for a while, one less when what there is to do would not fill a tenth of fewer queues for a long while. Belongs to one grain.
/// </summary>
internal sealed class Autoscaler(TimeProvider time)
{
    /// <summary>How long queues are half full before a replica comes.</summary>
    public static readonly TimeSpan BusyTime = TimeSpan.FromSeconds(5);

    /// <summary>How long a replica is too many before it goes; also how long one that found no place is not tried again.</summary>
    public static readonly TimeSpan IdleTime = TimeSpan.FromMinutes(5);

    /// <summary>How long a replica may take to come up before it is done without.</summary>
    public static readonly TimeSpan LoadTime = TimeSpan.FromMinutes(5);

    private const double Busy = 0.5;
    private const double Idle = 0.1;

    private readonly Dictionary<string, Watched> _components = [];

    /// <summary>The replicas that a component should have from now on, or null where it should have as many as it has.</summary>
    /// <param name="component">Its name.</param>
    /// <param name="range">What the operator allows; without a most there is nothing to decide.</param>
    /// <param name="desired">Replicas that it should have so far.</param>
    /// <param name="ready">The load of those that serve.</param>
    public int? Decide(string component, ComponentDeployment range, int desired, IReadOnlyCollection<StageLoad> ready)
    {
        if (range.MaxReplicas is not { } most || most == range.MinReplicas || ready.Count == 0)
        {
            _components.Remove(component);
            return null;
        }
        if (!_components.TryGetValue(component, out Watched? watched))
        {
            _components[component] = watched = new Watched();
        }
        double used = ready.Sum(load => (double)load.QueueUsed);
        double queue = ready.Average(load => (double)load.QueueLimit);
        bool missing = ready.Count < desired;
        bool busy = !missing && desired < most && used >= Busy * queue * desired;
        bool idle = !missing && desired > range.MinReplicas && used <= Idle * queue * (desired - 1);
        int? decision = Watched.Holds(ref watched.Missing, missing, LoadTime, time) ? Math.Max(range.MinReplicas, ready.Count)
            : Watched.Holds(ref watched.Busy, busy, BusyTime, time) && !watched.IsGivenUp(time) ? desired + 1
            : Watched.Holds(ref watched.Idle, idle, IdleTime, time) ? desired - 1
            : null;
        if (decision is not null)
        {
            watched.Missing = watched.Busy = watched.Idle = null;
            watched.GivenUp = missing ? time.GetTimestamp() : watched.GivenUp;
        }
        return decision;
    }

    // Since when something holds, by the clock's timestamps.
    private sealed class Watched
    {
        public long? Missing;
        public long? Busy;
        public long? Idle;
        public long? GivenUp;

        public static bool Holds(ref long? since, bool now, TimeSpan enough, TimeProvider time)
        {
            since = now ? since ?? time.GetTimestamp() : null;
            return since is { } start && time.GetElapsedTime(start) >= enough;
        }

        public bool IsGivenUp(TimeProvider time) => GivenUp is { } at && time.GetElapsedTime(at) < IdleTime;
    }
}
