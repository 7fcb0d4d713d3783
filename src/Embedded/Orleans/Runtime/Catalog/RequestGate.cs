using Orleans.Runtime.Messaging;

namespace Orleans.Runtime.Catalog;

/// <summary>
/// Decides which requests of an activation may run beside each other: all of a reentrant grain's, always-interleaving
/// ones beside anything, read-only ones beside read-only ones, others alone. Not thread-safe.
/// </summary>
internal sealed class RequestGate(bool reentrant)
{
    private readonly Queue<Request> _waiting = new();
    private int _blocking;
    private int _blockingWriters;
    private int _flexibleWaiting;

    /// <summary>How many requests run.</summary>
    public int Running { get; private set; }

    public int Waiting => _waiting.Count;

    public bool MayRun(Request request) =>
        reentrant || request.IsInterleaving || _blocking == 0 || (request.IsReadOnly && _blockingWriters == 0);

    public void Started(Request request)
    {
        Running++;
        if (!reentrant && !request.IsInterleaving)
        {
            _blocking++;
            _blockingWriters += request.IsReadOnly ? 0 : 1;
        }
    }

    public void Ended(Request request)
    {
        Running--;
        if (!reentrant && !request.IsInterleaving)
        {
            _blocking--;
            _blockingWriters -= request.IsReadOnly ? 0 : 1;
        }
    }

    public void Wait(Request request)
    {
        _waiting.Enqueue(request);
        _flexibleWaiting += IsFlexible(request) ? 1 : 0;
    }

    /// <summary>The first waiting request that may run now, removed from those that wait; null where there is none.</summary>
    public Request? Next()
    {
        if (_waiting.TryPeek(out Request? first) && MayRun(first))
        {
            _waiting.Dequeue();
            _flexibleWaiting -= IsFlexible(first) ? 1 : 0;
            return first;
        }
        // Behind a request that must be alone, only one that interleaves could run.
        return _flexibleWaiting > 0 ? TakeFlexible() : null;
    }

    /// <summary>Removes and returns all waiting requests.</summary>
    public Request[] Drain()
    {
        Request[] all = [.. _waiting];
        _waiting.Clear();
        _flexibleWaiting = 0;
        return all;
    }

    private Request? TakeFlexible()
    {
        Request? taken = null;
        for (int left = _waiting.Count; left > 0; left--)
        {
            Request next = _waiting.Dequeue();
            if (taken is null && IsFlexible(next) && MayRun(next))
            {
                taken = next;
                _flexibleWaiting--;
            }
            else
            {
                _waiting.Enqueue(next); // once round, so that the order stays
            }
        }
        return taken;
    }

    private static bool IsFlexible(Request request) => request.IsInterleaving || request.IsReadOnly;
}
