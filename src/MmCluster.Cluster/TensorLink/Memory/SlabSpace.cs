namespace MmCluster.Cluster.TensorLink.Memory;

/// <summary>Which parts of a slab are free: best fit, joining neighbours that become free. Safe to call from any thread.</summary>
internal sealed class SlabSpace
{
    // Whole pages: a piece starts on a page, whatever its neighbours are.
    private const long Alignment = 4096;

    private readonly Lock _gate = new();
    private readonly Dictionary<long, long> _freeByStart = []; // start to size
    private readonly Dictionary<long, long> _freeByEnd = []; // end to size
    private readonly SortedSet<(long Bytes, long Offset)> _freeBySize = [];

    public SlabSpace(long bytes)
    {
        Bytes = RoundUp(bytes);
        AddFree(0, Bytes);
    }

    /// <summary>The slab's size, in whole pages.</summary>
    public long Bytes { get; }

    /// <summary>Bytes handed out, rounding included.</summary>
    public long UsedBytes { get; private set; }

    /// <summary>A piece of at least <paramref name="bytes"/>, or null when no free piece is large enough.</summary>
    public (long Offset, long Bytes)? TryTake(long bytes)
    {
        long size = RoundUp(Math.Max(bytes, 1));
        lock (_gate)
        {
            (long Bytes, long Offset) best = _freeBySize.GetViewBetween((size, 0), (long.MaxValue, long.MaxValue)).Min;
            if (best.Bytes == 0)
            {
                return null;
            }
            RemoveFree(best.Offset, best.Bytes);
            if (best.Bytes > size)
            {
                AddFree(best.Offset + size, best.Bytes - size);
            }
            UsedBytes += size;
            return (best.Offset, size);
        }
    }

    /// <summary>Takes a piece back.</summary>
    public void Give(long offset, long bytes)
    {
        lock (_gate)
        {
            UsedBytes -= bytes;
            if (_freeByStart.TryGetValue(offset + bytes, out long behind))
            {
                RemoveFree(offset + bytes, behind);
                bytes += behind;
            }
            if (_freeByEnd.TryGetValue(offset, out long before))
            {
                RemoveFree(offset - before, before);
                (offset, bytes) = (offset - before, bytes + before);
            }
            AddFree(offset, bytes);
        }
    }

    private void AddFree(long offset, long bytes)
    {
        _freeByStart.Add(offset, bytes);
        _freeByEnd.Add(offset + bytes, bytes);
        _freeBySize.Add((bytes, offset));
    }

    private void RemoveFree(long offset, long bytes)
    {
        _freeByStart.Remove(offset);
        _freeByEnd.Remove(offset + bytes);
        _freeBySize.Remove((bytes, offset));
    }

    private static long RoundUp(long bytes) => checked((bytes + Alignment - 1) / Alignment * Alignment);
}
