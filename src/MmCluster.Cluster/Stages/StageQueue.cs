using MmCluster.Models;

namespace MmCluster.Cluster.Stages;

/// <summary>
/// The cost units that a stage has accepted and not finished. A full queue is an answer at once, never a wait: whoever asks tries another replica
/// or tells its client when to come again. Safe to call from any thread.
/// </summary>
internal sealed class StageQueue(string stage, int limit)
{
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private int _used;
    private bool _closed;

    public int Limit => limit;

    /// <summary>Units in use.</summary>
    public int Used
    {
        get
        {
            lock (_gate)
            {
                return _used;
            }
        }
    }

    /// <summary>Whether it takes nothing any more.</summary>
    public bool IsClosed
    {
        get
        {
            lock (_gate)
            {
                return _closed;
            }
        }
    }

    /// <summary>Takes units; <see cref="Leave"/> gives them back.</summary>
    /// <returns>The units taken: what is larger than the whole queue runs alone, since refusing it could never be retried with success.</returns>
    /// <exception cref="MmException">Unavailable, with when to retry: full, or closed.</exception>
    public int Enter(int cost)
    {
        cost = Math.Min(cost, limit);
        lock (_gate)
        {
            if (_closed)
            {
                throw new MmException(MmErrorCode.Unavailable, $"{stage} is being drained") { Stage = stage };
            }
            if (_used + cost > limit)
            {
                throw new MmException(MmErrorCode.Unavailable, $"the queue of {stage} is full ({limit} cost units); try again later")
                {
                    Stage = stage,
                    RetryAfter = RetryAfter,
                };
            }
            _used += cost;
            return cost;
        }
    }

    public void Leave(int cost)
    {
        lock (_gate)
        {
            _used -= cost;
        }
    }

    /// <summary>Takes nothing any more; what is in it goes on.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
        }
    }
}
