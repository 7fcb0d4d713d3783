using MmCluster.Cluster.Status;

namespace MmCluster.Cluster.Nodes;

/// <summary>
/// The memory of a node's devices: what stages were promised and what they took. A promise that is not confirmed in time is void, so that a planner
/// that dies takes nothing with it. Safe to call from any thread.
/// </summary>
internal sealed class NodeLedger(IReadOnlyList<NodeDevice> devices, TimeProvider time)
{
    /// <summary>How long a promise waits for its stage.</summary>
    public static readonly TimeSpan PromiseTime = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Entry> _entries = [];
    private readonly HashSet<string> _lost = [];

    /// <summary>The devices with what is given away of them.</summary>
    public IReadOnlyList<DeviceStatus> Devices
    {
        get
        {
            // The driver is asked outside the lock.
            long?[] free = [.. devices.Select(device => device.FreeBytes)];
            lock (_gate)
            {
                DropExpired();
                return [.. devices.Select((device, i) => new DeviceStatus(device.Name, Capacity(device), Reserved(device.Name))
                {
                    Model = device.Gpu?.Name ?? "",
                    Uuid = device.Gpu?.Uuid ?? "",
                    ComputeCapability = device.Gpu?.ComputeCapability ?? "",
                    TotalBytes = device.Gpu?.TotalBytes ?? device.CapacityBytes,
                    FreeBytes = free[i],
                    Lost = _lost.Contains(device.Name),
                })];
            }
        }
    }

    /// <summary>
    /// Promises memory to a stage, or says that there is not enough. A second promise to one stage replaces the first. "cuda" is any GPU: replicas of one component and
    /// shards of one backbone on different ones where there are some, then the one with most room.
    /// </summary>
    /// <param name="stage">The stage's key.</param>
    /// <param name="device">cpu, cuda or cuda:N.</param>
    /// <param name="bytes">What it needs of each device.</param>
    /// <param name="count">GPUs in a row that it needs, all of them or none.</param>
    public bool TryReserve(string stage, string device, long bytes, int count = 1)
    {
        Dictionary<string, long?> free = devices.ToDictionary(known => known.Name, known => known.FreeBytes);
        lock (_gate)
        {
            DropExpired();
            IReadOnlyList<string>? chosen = DeviceSpan.Starts(free.Keys, device, count)
                .Select(first => DeviceSpan.Names(first, count))
                .Select(span => (Span: span, Room: span.Min(name => Room(Known(name), free[name], except: stage))))
                .Where(fit => fit.Room >= bytes)
                .OrderBy(fit => _entries.Count(entry => entry.Value.Devices.Intersect(fit.Span).Any() && AreTwins(entry.Key, stage)))
                .ThenByDescending(fit => fit.Room)
                .Select(fit => fit.Span)
                .FirstOrDefault();
            if (chosen is null)
            {
                return false;
            }
            _entries[stage] = new Entry(chosen, bytes, time.GetUtcNow() + PromiseTime);
            return true;
        }
    }

    /// <summary>The device promised to a stage, of several the first, or null where there is no promise, or it is void.</summary>
    public string? Find(string stage)
    {
        lock (_gate)
        {
            DropExpired();
            return _entries.GetValueOrDefault(stage)?.Devices[0];
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

    /// <summary>Bytes that a stage may take of each of its devices in all: what that has and others were not promised.</summary>
    public long RoomOf(string stage)
    {
        lock (_gate)
        {
            DropExpired();
            return _entries.TryGetValue(stage, out Entry? entry)
                ? entry.Devices.Min(name => Capacity(Known(name)) - Reserved(name, except: stage))
                : 0;
        }
    }

    /// <summary>The stage took <paramref name="bytes"/> of each of its devices: more than was promised only where there is room.</summary>
    public bool TryCorrect(string stage, long bytes)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue(stage, out Entry? entry)
                || entry.Devices.Any(name => Reserved(name, except: stage) + bytes > Capacity(Known(name))))
            {
                return false;
            }
            _entries[stage] = entry with { Bytes = bytes, IsTaken = true };
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

    /// <summary>The device is of no more use to this process: nothing is promised on it any more.</summary>
    public void Lose(string device)
    {
        lock (_gate)
        {
            _lost.Add(device);
        }
    }

    private NodeDevice Known(string name) => devices.Single(device => device.Name == name);

    private long Capacity(NodeDevice device) => _lost.Contains(device.Name) ? 0 : device.CapacityBytes;

    // What is promised, and of the GPU itself what others have left: several processes may share one, and none sees the others' ledgers.
    private long Room(NodeDevice device, long? free, string except)
    {
        long room = Capacity(device) - Reserved(device.Name, except);
        return free is { } bytes
            ? Math.Min(room, bytes - _entries.Where(entry => entry.Value.Devices.Contains(device.Name) && entry.Key != except && !entry.Value.IsTaken).Sum(entry => entry.Value.Bytes))
            : room;
    }

    private long Reserved(string device, string? except = null) =>
        _entries.Where(entry => entry.Value.Devices.Contains(device) && entry.Key != except).Sum(entry => entry.Value.Bytes);

    // DIGEST/0 and DIGEST/1, MODEL@REVISION/0/1 and its first shard MODEL@REVISION/0.
    private static bool AreTwins(string one, string other) => one != other
        && (Parent(one) == Parent(other) || Parent(one) == other || Parent(other) == one);

    private static string Parent(string key) => key.LastIndexOf('/') is >= 0 and var end ? key[..end] : key;

    private void DropExpired()
    {
        DateTimeOffset now = time.GetUtcNow();
        foreach (string stage in (string[])[.. _entries.Where(entry => entry.Value.Expires <= now).Select(entry => entry.Key)])
        {
            _entries.Remove(stage);
        }
    }

    private sealed record Entry(IReadOnlyList<string> Devices, long Bytes, DateTimeOffset? Expires)
    {
        /// <summary>Whether it is out of the devices' free memory already.</summary>
        public bool IsTaken { get; init; }
    }
}
