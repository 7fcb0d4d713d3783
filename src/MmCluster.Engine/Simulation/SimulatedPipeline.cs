namespace MmCluster.Engine.Simulation;

/// <summary>
/// When steps leave a pipeline of equal shards: each takes an equal part of a step's time and has one step at a time, so step k leaves shard i at
/// max(when k left shard i - 1, when k - 1 left shard i) + time / shards.
/// </summary>
internal sealed class SimulatedPipeline(int depth)
{
    private readonly DateTimeOffset[] _free = new DateTimeOffset[depth];
    private readonly Queue<(StepResult Result, DateTimeOffset End)> _inFlight = new();
    private readonly Stack<StepResult> _spare = new();
    private StepResult? _next;

    /// <summary>Whether as many steps are in it as there are shards.</summary>
    public bool IsFull => _inFlight.Count == depth;

    /// <summary>What the next step's result is written to.</summary>
    public StepResult Begin()
    {
        _next = _spare.TryPop(out StepResult? spare) ? spare : new StepResult();
        _next.Clear();
        return _next;
    }

    /// <summary>Sends the step of <see cref="Begin"/> off.</summary>
    /// <returns>When it leaves the first shard.</returns>
    public DateTimeOffset Send(DateTimeOffset now, TimeSpan duration)
    {
        DateTimeOffset left = now;
        for (int i = 0; i < depth; i++)
        {
            left = (left > _free[i] ? left : _free[i]) + (duration / depth);
            _free[i] = left;
        }
        _inFlight.Enqueue((_next!, left));
        return _free[0];
    }

    /// <summary>Copies the oldest step's result; returns when that step leaves the last shard, or null when there is none.</summary>
    public DateTimeOffset? TryTake(StepResult result)
    {
        if (!_inFlight.TryDequeue(out (StepResult Result, DateTimeOffset End) oldest))
        {
            return null;
        }
        result.CopyFrom(oldest.Result);
        _spare.Push(oldest.Result);
        return oldest.End;
    }

    /// <summary>Drops all steps.</summary>
    public void Clear()
    {
        while (_inFlight.TryDequeue(out (StepResult Result, DateTimeOffset End) dropped))
        {
            _spare.Push(dropped.Result);
        }
        Array.Clear(_free);
    }
}
