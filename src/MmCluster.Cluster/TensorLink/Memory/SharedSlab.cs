namespace MmCluster.Cluster.TensorLink.Memory;

/// <summary>
/// Hands out pieces of one shared memory. One slab a silo, so that a peer maps it once and every tensor in it is an offset. Safe to call from any thread.
/// </summary>
internal sealed class SharedSlab : IDisposable
{
    private readonly SlabSpace _space;
    private readonly SharedMemory _memory;

    public SharedSlab(long bytes)
    {
        _space = new SlabSpace(bytes);
        _memory = SharedMemory.Create(_space.Bytes);
    }

    /// <summary>The memory behind it.</summary>
    public SharedMemory Memory => _memory;

    /// <summary>Bytes handed out, rounding included.</summary>
    public long UsedBytes => _space.UsedBytes;

    /// <summary>A piece of at least <paramref name="bytes"/>, or null when no free piece is large enough.</summary>
    public SlabBlock? TryAllocate(long bytes) => _space.TryTake(bytes) is { } piece ? new SlabBlock(this, piece.Offset, piece.Bytes) : null;

    /// <summary>Lets go of the memory; pieces still out keep it mapped.</summary>
    public void Dispose() => _memory.Dispose();

    internal void Free(long offset, long bytes) => _space.Give(offset, bytes);
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
