namespace MmCluster.Engine.Simulation;

/// <summary>
/// When steps leave a pipeline of equal shards: each takes an equal part of a step's time and has one step at a time, so step k leaves shard i at
/// max(when k left shard i - 1, when k - 1 left shard i) + time / shards.
/// </summary>
internal sealed class SimulatedPipeline(int shards)
{
    private readonly DateTimeOffset[] _free = new DateTimeOffset[shards];

    /// <summary>Sends a step off and says when it leaves the first shard and the last.</summary>
    public (DateTimeOffset First, DateTimeOffset Last) Send(DateTimeOffset now, TimeSpan duration)
    {
        DateTimeOffset left = now;
        for (int i = 0; i < shards; i++)
        {
            left = (left > _free[i] ? left : _free[i]) + (duration / shards);
            _free[i] = left;
        }
        return (_free[0], left);
    }

    /// <summary>All shards are free.</summary>
    public void Clear() => Array.Clear(_free);
}
