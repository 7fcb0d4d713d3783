namespace MmCluster.Cluster.TensorLink.Memory;

/// <summary>
/// Hands out pieces of one shared memory, best fit, joining neighbours that become free. One slab a silo, so that a peer maps it once and every
/// tensor in it is an offset. Safe to call from any thread.
/// </summary>
internal sealed class SharedSlab : IDisposable
{
    // Whole pages: a piece starts on a page, whatever its neighbours are.
    private const long Alignment = 4096;

    private readonly Lock _gate = new();
    private readonly Dictionary<long, long> _freeByStart = []; // start to size
    private readonly Dictionary<long, long> _freeByEnd = []; // end to size
    private readonly SortedSet<(long Bytes, long Offset)> _freeBySize = [];
    private readonly SharedMemory _memory;

    public SharedSlab(long bytes)
    {
        long capacity = RoundUp(bytes);
        _memory = SharedMemory.Create(capacity);
        AddFree(0, capacity);
    }

    /// <summary>The memory behind it.</summary>
    public SharedMemory Memory => _memory;

    /// <summary>Bytes handed out, rounding included.</summary>
    public long UsedBytes { get; private set; }

    /// <summary>A piece of at least <paramref name="bytes"/>, or null when no free piece is large enough.</summary>
    public SlabBlock? TryAllocate(long bytes)
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
            return new SlabBlock(this, best.Offset, size);
        }
    }

    /// <summary>Lets go of the memory; pieces still out keep it mapped.</summary>
    public void Dispose() => _memory.Dispose();

    internal void Free(long offset, long bytes)
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

/// <summary>A piece of a slab; disposing gives it back.</summary>
internal sealed class SlabBlock : IDisposable
{
    private readonly SharedSlab _slab;
    private bool _disposed;

    internal SlabBlock(SharedSlab slab, long offset, long bytes)
    {
        (_slab, Offset, Bytes) = (slab, offset, bytes);
        slab.Memory.AddUser();
    }

    /// <summary>From the slab's start.</summary>
    public long Offset { get; }

    /// <summary>Size, rounding included.</summary>
    public long Bytes { get; }

    /// <summary>Where it lies in this process.</summary>
    public nint Address => _slab.Memory.Address + (nint)Offset;

    /// <summary>Gives it back; a second call does nothing.</summary>
    public void Dispose()
    {
        if (!Interlocked.Exchange(ref _disposed, true))
        {
            _slab.Free(Offset, Bytes);
            _slab.Memory.Dispose();
        }
    }
}
