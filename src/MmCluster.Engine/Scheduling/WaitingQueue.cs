namespace MmCluster.Engine.Scheduling;

/// <summary>
/// Sequences that wait for a slot. The next one is that of the lowest priority value; among equals the tenant's that was served fewest
/// positions (start-time fair queueing: a tenant that comes back starts at the clock of the last one chosen, so that idling saves nothing up); within
/// a tenant the oldest.
/// </summary>
internal sealed class WaitingQueue
{
    private const int MaxTenants = 4096;

    private readonly SortedDictionary<int, Level> _levels = [];
    private readonly Dictionary<string, TenantAccount> _tenants = [];
    private long _clock;

    public int Count { get; private set; }

    /// <summary>The account of a tenant, which counts one more sequence until <see cref="Leave"/>.</summary>
    public TenantAccount Enter(string name)
    {
        if (!_tenants.TryGetValue(name, out TenantAccount? account))
        {
            ForgetIdleTenants();
            account = new TenantAccount(name) { Served = _clock };
            _tenants.Add(name, account);
        }
        if (account.Live++ == 0)
        {
            account.Served = Math.Max(account.Served, _clock);
        }
        return account;
    }

    /// <summary>A sequence of the tenant left the engine.</summary>
    public void Leave(TenantAccount account)
    {
        // An account behind the clock carries no debt, so nothing is lost by forgetting it.
        if (--account.Live == 0 && account.Served <= _clock)
        {
            _tenants.Remove(account.Name);
        }
    }

    /// <summary>Adds a sequence at its place by arrival.</summary>
    public void Add(Sequence sequence)
    {
        if (!_levels.TryGetValue(sequence.Priority, out Level? level))
        {
            _levels.Add(sequence.Priority, level = new Level());
        }
        level.Add(sequence);
        Count++;
    }

    public void Remove(Sequence sequence)
    {
        sequence.Node.List!.Remove(sequence.Node);
        Count--;
    }

    /// <summary>The next sequence, left in the queue; null when there is none.</summary>
    public Sequence? Peek()
    {
        if (Count == 0)
        {
            return null;
        }
        foreach (Level level in _levels.Values)
        {
            if (level.Peek() is { } sequence)
            {
                return sequence;
            }
        }
        return null;
    }

    /// <summary>Takes the sequence that <see cref="Peek"/> gave because it starts.</summary>
    public void Start(Sequence sequence)
    {
        Remove(sequence);
        _clock = Math.Max(_clock, sequence.Tenant.Served);
    }

    // Names come from outside: what idle tenants are owed is kept for a bounded number of them only.
    private void ForgetIdleTenants()
    {
        if (_tenants.Count >= MaxTenants)
        {
            foreach (TenantAccount account in _tenants.Values.Where(account => account.Live == 0).ToArray())
            {
                _tenants.Remove(account.Name);
            }
        }
    }

    private sealed class TenantQueue(TenantAccount account)
    {
        public TenantAccount Account { get; } = account;

        public LinkedList<Sequence> Sequences { get; } = [];

        public bool Queued { get; set; }
    }

    private sealed class Level
    {
        private readonly Dictionary<TenantAccount, TenantQueue> _queues = [];
        private readonly PriorityQueue<TenantQueue, (long Served, long Arrival)> _heap = new();

        public void Add(Sequence sequence)
        {
            if (!_queues.TryGetValue(sequence.Tenant, out TenantQueue? queue))
            {
                _queues.Add(sequence.Tenant, queue = new TenantQueue(sequence.Tenant));
            }
            // New ones belong at the back, preempted ones near the front.
            LinkedListNode<Sequence>? last = queue.Sequences.Last;
            if (last is null || last.Value.Arrival < sequence.Arrival)
            {
                queue.Sequences.AddLast(sequence.Node);
            }
            else
            {
                LinkedListNode<Sequence> node = queue.Sequences.First!;
                while (node.Value.Arrival < sequence.Arrival)
                {
                    node = node.Next!;
                }
                queue.Sequences.AddBefore(node, sequence.Node);
            }
            if (!queue.Queued)
            {
                queue.Queued = true;
                _heap.Enqueue(queue, KeyOf(queue));
            }
        }

        public Sequence? Peek()
        {
            while (_heap.TryPeek(out TenantQueue? queue, out (long Served, long Arrival) key))
            {
                if (queue.Sequences.First is not { } first)
                {
                    _heap.Dequeue();
                    queue.Queued = false;
                    _queues.Remove(queue.Account);
                }
                else if (key != KeyOf(queue))
                {
                    // Served only rises, so a stale key is too small and its queue surfaces before its turn.
                    _heap.DequeueEnqueue(queue, KeyOf(queue));
                }
                else
                {
                    return first.Value;
                }
            }
            return null;
        }

        private static (long Served, long Arrival) KeyOf(TenantQueue queue) =>
            (queue.Account.Served, queue.Sequences.First!.Value.Arrival);
    }
}
