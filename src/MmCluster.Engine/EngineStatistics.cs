using MmCluster.Engine.Scheduling;

namespace MmCluster.Engine;

/// <summary>
/// Counters and gauges of an engine, for /metrics and benchmarks. The engine's thread writes, anybody may read; values of one moment need not belong to one step.
/// </summary>
public sealed class EngineStatistics
{
    private readonly long[] _finished = new long[Enum.GetValues<FinishReason>().Length];

    /// <summary>Sequences that hold a slot.</summary>
    public int Running { get; private set; }

    /// <summary>Sequences that wait for one.</summary>
    public int Waiting { get; private set; }

    /// <summary>Share of KV blocks in use, 0 to 1.</summary>
    public double KvCacheUsage { get; private set; }

    /// <summary>Positions looked up in the prefix cache.</summary>
    public long PrefixCacheQueries { get; private set; }

    /// <summary>Positions found there.</summary>
    public long PrefixCacheHits { get; private set; }

    /// <summary>Sequences that gave way to others.</summary>
    public long Preemptions { get; private set; }

    /// <summary>Steps committed.</summary>
    public long Steps { get; internal set; }

    /// <summary>Steps that failed.</summary>
    public long FailedSteps { get; internal set; }

    /// <summary>Positions computed, drafts included.</summary>
    public long ComputedTokens { get; internal set; }

    /// <summary>Of those, positions whose sequence had ended or given way when the result came.</summary>
    public long DiscardedTokens { get; internal set; }

    /// <summary>Prompt tokens of accepted requests.</summary>
    public long PromptTokens { get; internal set; }

    /// <summary>Tokens generated.</summary>
    public long GenerationTokens { get; internal set; }

    /// <summary>Requests that ended so.</summary>
    public long Finished(FinishReason reason) => Volatile.Read(ref _finished[(int)reason]);

    internal void Count(FinishReason? reason)
    {
        if (reason is { } known)
        {
            _finished[(int)known]++;
        }
    }

    internal void Update(Scheduler scheduler)
    {
        Running = scheduler.RunningCount;
        Waiting = scheduler.WaitingCount;
        KvCacheUsage = 1 - ((double)scheduler.Kv.Pool.FreeCount / scheduler.Kv.Pool.Count);
        PrefixCacheQueries = scheduler.Kv.CacheQueries;
        PrefixCacheHits = scheduler.Kv.CacheHits;
        Preemptions = scheduler.Preemptions;
    }
}
