using System.Runtime.CompilerServices;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Models;

namespace MmCluster.Cluster.Stages;

/// <summary>
/// What a backbone owes one gateway: its requests and the batches it may ask for again. The backbone's reader writes, the grain's stream reads.
/// </summary>
internal sealed class GatewaySession
{
    /// <summary>Batches kept behind the last one that was handed out.</summary>
    private const int Window = 128;

    private readonly Lock _gate = new();
    private readonly Queue<StepBatch> _kept = new();
    private readonly List<TokenEntry> _entries = [];
    private readonly List<int> _ids = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TimeProvider _time;
    private readonly long _first;
    private long _last;
    private long _taken;
    private int _readers;
    private bool _ended;
    private bool _lost;
    private DateTimeOffset _left;

    public GatewaySession(string name, TimeProvider time)
    {
        Name = name;
        _time = time;
        _left = time.GetUtcNow();
        // Somewhere, so that a reader who comes from another activation of the grain, which a lost silo took its batches with, is not taken for one of this one's.
        _first = _last = _taken = Random.Shared.NextInt64(1, long.MaxValue / 2);
    }

    public string Name { get; }

    /// <summary>Where the gateway's process is; null while it did not say.</summary>
    public LinkAddress? Origin { get; set; }

    /// <summary>Its requests, by handle. Under <see cref="BackboneStage"/>'s care.</summary>
    public Dictionary<long, BackboneRequest> Requests { get; } = [];

    /// <summary>When its last reader left; null while one reads.</summary>
    public DateTimeOffset? AbandonedSince
    {
        get
        {
            lock (_gate)
            {
                return _readers > 0 ? null : _left;
            }
        }
    }

    /// <summary>Adds an entry to the batch being written.</summary>
    public void Add(in TokenEntry entry, ReadOnlySpan<int> ids)
    {
        _entries.Add(entry);
        foreach (int id in ids)
        {
            _ids.Add(id);
        }
    }

    /// <summary>Whether a batch is being written.</summary>
    public bool HasEntries => _entries.Count > 0;

    /// <summary>Ends the batch being written and hands it out.</summary>
    public void Flush()
    {
        TokenEntry[] entries = [.. _entries];
        int[] ids = [.. _ids];
        _entries.Clear();
        _ids.Clear();
        TaskCompletionSource changed;
        lock (_gate)
        {
            if (_lost)
            {
                return;
            }
            _kept.Enqueue(new StepBatch { Number = ++_last, Ids = ids, Entries = entries });
            // What nobody has taken yet is never thrown away while somebody reads.
            while (_kept.Count > Window && (_readers == 0 || _kept.Peek().Number < _taken - Window))
            {
                _kept.Dequeue();
            }
            changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        changed.TrySetResult();
    }

    /// <summary>Nothing more comes.</summary>
    public void End()
    {
        lock (_gate)
        {
            _ended = true;
            _changed.TrySetResult();
        }
    }

    /// <summary>Its gateway was given up: one that comes back after all is refused, so that it replays what was cancelled for it.</summary>
    public void Lose()
    {
        lock (_gate)
        {
            _lost = true;
            _kept.Clear();
            _changed.TrySetResult();
        }
    }

    /// <summary>
    /// The batches after number <paramref name="after"/>, those kept and those to come; 0: from the first on, behind an empty one at once. That one tells the reader
    /// where it is: after a break it can ask for what comes next, and only here.
    /// </summary>
    /// <exception cref="MmException">Unavailable: some of them are kept no more.</exception>
    public async IAsyncEnumerable<StepBatch> ReadAsync(long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            _readers++;
        }
        try
        {
            if (after == 0)
            {
                after = _first;
                yield return new StepBatch { Number = _first, Ids = [], Entries = [] };
            }
            List<StepBatch> next = [];
            while (true)
            {
                Task? changed = Take(after, next);
                foreach (StepBatch batch in next)
                {
                    after = batch.Number;
                    yield return batch;
                }
                if (changed is null)
                {
                    yield break;
                }
                if (next.Count == 0)
                {
                    await changed.WaitAsync(cancellationToken);
                }
                next.Clear();
            }
        }
        finally
        {
            lock (_gate)
            {
                _readers--;
                _left = _time.GetUtcNow();
            }
        }
    }

    // What comes after a number, and what completes when there is more; null at the end.
    private Task? Take(long after, List<StepBatch> next)
    {
        lock (_gate)
        {
            if (_lost || after < _first || after > _last || (after < _last && (_kept.Count == 0 || _kept.Peek().Number > after + 1)))
            {
                throw new MmException(MmErrorCode.Unavailable, $"batch {after + 1} of gateway {Name} is not kept here; replay its requests");
            }
            foreach (StepBatch batch in _kept)
            {
                if (batch.Number > after)
                {
                    next.Add(batch);
                }
            }
            _taken = Math.Max(_taken, after);
            return _ended && next.Count == 0 ? null : _changed.Task;
        }
    }
}
