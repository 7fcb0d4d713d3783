using MmCluster.Cluster.Status;

namespace MmCluster.Cluster.Nodes;

/// <summary>
/// The memory of a node's devices: what stages were promised and what they took. A promise that is not confirmed in time is void, so that a planner
/// that dies takes nothing with it. Safe to call from any thread.
/// </summary>
internal sealed class NodeLedger(IReadOnlyDictionary<string, long> capacities, TimeProvider time)
{
    /// <summary>How long a promise waits for its stage.</summary>
    public static readonly TimeSpan PromiseTime = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Entry> _entries = [];

    /// <summary>The devices with what is given away of them.</summary>
    public IReadOnlyList<DeviceStatus> Devices
    {
        get
        {
            lock (_gate)
            {
                DropExpired();
                return [.. capacities.Select(device => new DeviceStatus(device.Key, device.Value, Reserved(device.Key)))];
            }
        }
    }

    /// <summary>Promises memory to a stage, or says that there is not enough. A second promise to one stage replaces the first.</summary>
    public bool TryReserve(string stage, string device, long bytes)
    {
        lock (_gate)
        {
            DropExpired();
            if (DeviceFor(stage, device, bytes) is not { } chosen)
            {
                return false;
            }
            _entries[stage] = new Entry(chosen, bytes, time.GetUtcNow() + PromiseTime);
            return true;
        }
    }

    /// <summary>The device promised to a stage, or null where there is no promise, or it is void.</summary>
    public string? Find(string stage)
    {
        lock (_gate)
        {
            DropExpired();
            return _entries.GetValueOrDefault(stage)?.Device;
        }
    }

    /// <summary>The stage has begun to load: its promise holds until it is released. False where there is none any more.</summary>
    public bool TryConfirm(string stage)
    {
        lock (_gate)
        {
            DropExpired();
            if (!_entries.TryGetValue(stage, out Entry? entry))
            {
                return false;
            }
            _entries[stage] = entry with { Expires = null };
            return true;
        }
    }

    /// <summary>The stage took <paramref name="bytes"/>: more than was promised only where there is room.</summary>
    public bool TryCorrect(string stage, long bytes)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue(stage, out Entry? entry)
                || Reserved(entry.Device) - entry.Bytes + bytes > capacities[entry.Device])
            {
                return false;
            }
            _entries[stage] = entry with { Bytes = bytes };
            return true;
        }
    }

    /// <summary>Gives a stage's memory back; an unknown stage is ignored.</summary>
    public void Release(string stage)
    {
        lock (_gate)
        {
            _entries.Remove(stage);
        }
    }

    // "cuda" is any GPU: the one with most room.
    private string? DeviceFor(string stage, string device, long bytes) => capacities
        .Where(known => known.Key == device || known.Key.StartsWith(device + ':', StringComparison.Ordinal))
        .Select(known => (known.Key, Free: known.Value - Reserved(known.Key, except: stage)))
        .Where(known => known.Free >= bytes)
        .OrderByDescending(known => known.Free)
        .Select(known => known.Key)
        .FirstOrDefault();

    private long Reserved(string device, string? except = null) =>
        _entries.Where(entry => entry.Value.Device == device && entry.Key != except).Sum(entry => entry.Value.Bytes);

    private void DropExpired()
    {
        DateTimeOffset now = time.GetUtcNow();
        foreach (string stage in (string[])[.. _entries.Where(entry => entry.Value.Expires <= now).Select(entry => entry.Key)])
        {
            _entries.Remove(stage);
        }
    }

    private sealed record Entry(string Device, long Bytes, DateTimeOffset? Expires);
}
