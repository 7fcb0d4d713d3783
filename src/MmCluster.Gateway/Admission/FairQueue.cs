namespace MmCluster.Gateway.Admission;

/// <summary>
/// Requests that wait. The next one is that of the lowest priority value; among equals the tenant's that was served least (start-time fair queueing, as in
/// the engine's own queue: a tenant that comes back starts at the clock of the last one chosen, so that idling saves nothing up); within a tenant the oldest.
/// Tenants come from the configured keys, so they are few: choosing looks at each that waits. Not thread-safe: the gate's lock holds.
/// </summary>
internal sealed class FairQueue
{
    private readonly Dictionary<string, TenantQueue> _tenants = new(StringComparer.Ordinal);
    private readonly List<TenantQueue> _waiting = [];
    private long _clock;

    public int Count { get; private set; }

    public void Add(AdmissionTicket ticket)
    {
        TenantQueue tenant = Of(ticket.Tenant);
        if (tenant.Tickets.Count == 0)
        {
            tenant.Served = Math.Max(tenant.Served, _clock);
            _waiting.Add(tenant);
        }
        LinkedListNode<AdmissionTicket>? before = tenant.Tickets.Last;
        while (before is not null && before.Value.Priority > ticket.Priority)
        {
            before = before.Previous;
        }
        _ = before is null ? tenant.Tickets.AddFirst(ticket) : tenant.Tickets.AddAfter(before, ticket);
        tenant.Units += ticket.Cost;
        Count++;
    }

    /// <summary>Whose turn it is, left in the queue; null when nobody waits.</summary>
    public AdmissionTicket? Next() => _waiting.MinBy(tenant => (tenant.Tickets.First!.Value.Priority, tenant.Served))?.Tickets.First!.Value;

    /// <summary>Takes the ticket that <see cref="Next"/> gave because its turn has come.</summary>
    public void Start(AdmissionTicket ticket)
    {
        TenantQueue tenant = Of(ticket.Tenant);
        _clock = Math.Max(_clock, tenant.Served);
        tenant.Served += ticket.Cost;
        Remove(ticket);
    }

    /// <summary>Takes a ticket that is given up; false when it is not here.</summary>
    public bool Remove(AdmissionTicket ticket)
    {
        TenantQueue tenant = Of(ticket.Tenant);
        if (!tenant.Tickets.Remove(ticket))
        {
            return false;
        }
        tenant.Units -= ticket.Cost;
        Count--;
        if (tenant.Tickets.Count == 0)
        {
            _waiting.Remove(tenant);
        }
        return true;
    }

    /// <summary>Takes the newest ticket of the tenant with the most units waiting, if those are more than the ones of <paramref name="than"/>'s tenant with it.</summary>
    public AdmissionTicket? TakeFromLongest(AdmissionTicket than)
    {
        TenantQueue own = Of(than.Tenant);
        if (_waiting.MaxBy(tenant => tenant.Units) is not { } longest || longest == own || longest.Units <= own.Units + than.Cost)
        {
            return null;
        }
        AdmissionTicket newest = longest.Tickets.Last!.Value;
        Remove(newest);
        return newest;
    }

    private TenantQueue Of(string name)
    {
        if (!_tenants.TryGetValue(name, out TenantQueue? tenant))
        {
            _tenants.Add(name, tenant = new TenantQueue { Served = _clock });
        }
        return tenant;
    }

    private sealed class TenantQueue
    {
        public LinkedList<AdmissionTicket> Tickets { get; } = [];

        public long Served { get; set; }

        public int Units { get; set; }
    }
}
