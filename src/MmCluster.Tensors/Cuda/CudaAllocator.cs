using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Cuda;

/// <summary>
/// A GPU's memory between the driver and tensors. A block belongs to the stream that took it: freed, it is at once free for what that stream is
/// asked to do next, because the GPU gets there only when the work before is done. Other streams never get it; one that used it is named by
/// <see cref="RecordUse"/>, and then the block is free again only past an event of that stream. Freeing makes no driver call that waits, so tensors
/// may be disposed and finalized on any thread. Thread-safe.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "one a device, and devices live as long as the process")]
internal sealed unsafe class CudaAllocator
{
    private const int Alignment = 512;

    private readonly CudaContext _context;
    private readonly Lock _gate = new();
    private readonly CudaMemoryPool _shared;
    private readonly List<(CudaBlock Block, CudaEvent Event)> _waiting = [];
    private readonly Stack<CudaEvent> _events = new();

    internal CudaAllocator(CudaContext context)
    {
        _context = context;
        _shared = new CudaMemoryPool(this);
    }

    /// <summary>Bytes in use.</summary>
    internal long Allocated { get; private set; }

    /// <summary>Bytes taken from the driver, those of graphs' pools included.</summary>
    internal long Reserved { get; private set; }

    /// <summary>Most bytes that were in use at once since the last <see cref="ResetPeak"/>.</summary>
    internal long Peak { get; private set; }

    /// <summary>A block for the calling thread's stream; during a capture, for its graphs.</summary>
    /// <param name="bytes">Its size.</param>
    /// <param name="keeps">Whether it lives as long as a model: then it is no larger than asked for, while others may get a free block of up to 8 times their size.</param>
    /// <exception cref="InsufficientMemoryException">The GPU has no more, cached blocks given back already.</exception>
    internal CudaBlock Allocate(long bytes, bool keeps = false)
    {
        CudaStream stream = _context.Stream;
        CudaMemoryPool pool = stream.CapturePool ?? _shared;
        long size = keeps ? RoundUp(bytes, Alignment) : SizeClass(bytes);
        if (TryAllocate(pool, stream, size, keeps) is { } block)
        {
            return block;
        }

        if (stream.CapturePool is null)
        {
            ReleaseCached(); // outside of the lock, which whoever records a graph needs: he is waited for
            if (TryAllocate(pool, stream, size, keeps) is { } found)
            {
                return found;
            }
        }

        (long free, long total) = _context.Memory();
        throw new InsufficientMemoryException(
            $"cuda:{_context.Ordinal}: out of memory taking {size >> 20} MiB; in use {Allocated >> 20}, reserved {Reserved >> 20}, free {free >> 20} of {total >> 20} MiB");
    }

    /// <summary>Says that <paramref name="stream"/> works on a tensor that another stream's thread made.</summary>
    internal void RecordUse(Tensor tensor, CudaStream stream)
    {
        if (tensor.Block is CudaBlock block && block.Stream != stream)
        {
            lock (_gate)
            {
                block.AddUser(stream);
            }
        }
    }

    /// <summary>Gives all cached blocks back to the driver, which waits for the GPU. Pools of graphs keep theirs.</summary>
    internal void ReleaseCached()
    {
        _context.Synchronize();
        lock (_gate)
        {
            TakeBack();
            _shared.ReleaseFree();
        }
    }

    /// <summary>Starts counting the peak anew.</summary>
    internal void ResetPeak() => Peak = Allocated;

    /// <summary>Memory of its own for a set of graphs that never run at the same time.</summary>
    internal CudaMemoryPool CreatePool() => new(this);

    internal void Free(CudaBlock block)
    {
        lock (_gate)
        {
            Allocated -= block.Bytes;
            block.Stream.AllocatedBytes -= block.Bytes;
            foreach (CudaStream user in block.Users)
            {
                if (user.IsDisposed || _context.Lost.IsCompleted)
                {
                    continue;
                }

                CudaEvent used = _events.TryPop(out CudaEvent? spare) ? spare : new CudaEvent(_context);
                used.Record(user);
                _waiting.Add((block, used));
                block.Waits++;
            }

            block.ForgetUsers();
            if (block.Waits == 0)
            {
                block.Pool.Put(block);
            }
        }
    }

    /// <summary>Hands a stream's free blocks to the default stream; its work is done.</summary>
    internal void Forget(CudaStream stream)
    {
        lock (_gate)
        {
            _shared.Move(stream, _context.DefaultStream);
        }
    }

    internal void ToDriver(CudaBlock block)
    {
        Reserved -= block.Bytes;
        if (!_context.Lost.IsCompleted) // a lost context has taken its memory along
        {
            _context.Bind();
            CudaCall.Check(CudaDriver.cuMemFree_v2(block.Address));
        }
    }

    internal Lock.Scope Enter() => _gate.EnterScope();

    private CudaBlock? TryAllocate(CudaMemoryPool pool, CudaStream stream, long size, bool exact)
    {
        lock (_gate)
        {
            if (_waiting.Count > 0 && stream.CapturePool is null)
            {
                TakeBack();
            }

            if ((pool.Take(stream, size, exact) ?? FromDriver(pool, stream, size)) is not { } block)
            {
                return null;
            }

            Allocated += block.Bytes;
            stream.AllocatedBytes += block.Bytes;
            Peak = Math.Max(Peak, Allocated);
            return block;
        }
    }

    // Null where the GPU has no more.
    private CudaBlock? FromDriver(CudaMemoryPool pool, CudaStream stream, long size)
    {
        _context.Bind();
        nint address;
        CudaResult result = Reserve(size, &address, stream.CapturePool is not null);
        if (result == CudaResult.OutOfMemory)
        {
            return null;
        }

        CudaCall.Check(result, "cuMemAlloc_v2(");
        Reserved += size;
        return pool.Add(new CudaBlock(address, size, stream, pool));
    }

    // While this thread captures, the driver refuses what might wait unless told that the capture does not depend on it.
    private static CudaResult Reserve(long size, nint* address, bool capturing)
    {
        CaptureMode mode = CaptureMode.Relaxed;
        if (capturing)
        {
            CudaCall.Check(CudaDriver.cuThreadExchangeStreamCaptureMode(&mode));
        }

        CudaResult result = CudaDriver.cuMemAlloc_v2(address, checked((nuint)size));
        if (capturing)
        {
            CudaCall.Check(CudaDriver.cuThreadExchangeStreamCaptureMode(&mode));
        }

        return result;
    }

    // Blocks that other streams used, where those are done with them.
    private void TakeBack()
    {
        for (int i = _waiting.Count - 1; i >= 0; i--)
        {
            (CudaBlock block, CudaEvent used) = _waiting[i];
            if (used.IsDone)
            {
                _events.Push(used);
                _waiting.RemoveAt(i);
                if (--block.Waits == 0)
                {
                    block.Pool.Put(block);
                }
            }
        }
    }

    // Four sizes an octave, so that steps of slightly different shape have the same.
    private static long SizeClass(long bytes)
    {
        if (bytes <= 4 * Alignment)
        {
            return RoundUp(Math.Max(bytes, 1), Alignment);
        }

        long step = Math.Max(1L << (BitOperations.Log2((ulong)bytes - 1) - 2), Alignment);
        return RoundUp(bytes, step);
    }

    private static long RoundUp(long bytes, long step) => checked(Math.Max(bytes, 1) + (step - 1)) / step * step;
}

/// <summary>A block of a GPU's memory.</summary>
internal sealed class CudaBlock : DeviceMemory
{
    private static readonly List<CudaStream> None = [];

    private List<CudaStream>? _users;

    internal CudaBlock(nint address, long bytes, CudaStream stream, CudaMemoryPool pool)
    {
        Address = address;
        Bytes = bytes;
        Stream = stream;
        Pool = pool;
    }

    /// <summary>Its size.</summary>
    internal long Bytes { get; }

    /// <summary>The stream that may use it.</summary>
    internal CudaStream Stream { get; set; }

    /// <summary>Where it goes back to.</summary>
    internal CudaMemoryPool Pool { get; }

    /// <summary>Events to pass before it is free.</summary>
    internal int Waits { get; set; }

    /// <summary>Other streams that work on it.</summary>
    internal List<CudaStream> Users => _users ?? None;

    internal override void Free() => Pool.Allocator.Free(this);

    internal void AddUser(CudaStream stream)
    {
        _users ??= [];
        if (!_users.Contains(stream))
        {
            _users.Add(stream);
        }
    }

    internal void ForgetUsers() => _users?.Clear();
}

/// <summary>
/// Blocks of a GPU that are shared by nobody outside: those of the graphs of one executor, which replay on fixed addresses and so must keep them.
/// Dispose it behind its graphs.
/// </summary>
internal sealed class CudaMemoryPool : IDisposable
{
    // A step takes blocks that a larger one has left, so that all steps together need no more than the largest. A block much too large is for somebody else.
    private const int MostTimesLarger = 8;

    private readonly Dictionary<CudaStream, List<CudaBlock>> _free = []; // smallest first
    private bool _disposed;

    internal CudaMemoryPool(CudaAllocator allocator) => Allocator = allocator;

    /// <summary>Whose memory it is.</summary>
    internal CudaAllocator Allocator { get; }

    /// <summary>Bytes it holds, in use and free.</summary>
    internal long Reserved { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        using Lock.Scope entered = Allocator.Enter();
        _disposed = true;
        ReleaseFree();
    }

    // The rest is called under the allocator's lock.
    internal CudaBlock? Take(CudaStream stream, long bytes, bool exact)
    {
        if (!_free.TryGetValue(stream, out List<CudaBlock>? blocks))
        {
            return null;
        }

        int at = FirstOf(blocks, bytes);
        if (at == blocks.Count || blocks[at].Bytes > (exact ? bytes : MostTimesLarger * bytes))
        {
            return null;
        }

        CudaBlock block = blocks[at];
        blocks.RemoveAt(at);
        return block;
    }

    internal CudaBlock Add(CudaBlock block)
    {
        Reserved += block.Bytes;
        return block;
    }

    internal void Put(CudaBlock block)
    {
        if (_disposed)
        {
            Release(block);
            return;
        }

        if (block.Stream.IsDisposed)
        {
            block.Stream = block.Stream.Context.DefaultStream;
        }

        if (!_free.TryGetValue(block.Stream, out List<CudaBlock>? blocks))
        {
            _free[block.Stream] = blocks = [];
        }

        blocks.Insert(FirstOf(blocks, block.Bytes), block);
    }

    internal void ReleaseFree()
    {
        foreach (List<CudaBlock> blocks in _free.Values)
        {
            while (blocks.Count > 0)
            {
                CudaBlock last = blocks[^1];
                blocks.RemoveAt(blocks.Count - 1);
                Release(last);
            }
        }
    }

    internal void Move(CudaStream from, CudaStream to)
    {
        if (_free.Remove(from, out List<CudaBlock>? blocks))
        {
            foreach (CudaBlock block in blocks)
            {
                block.Stream = to;
                Put(block);
            }
        }
    }

    // The first of at least that size.
    private static int FirstOf(List<CudaBlock> blocks, long bytes)
    {
        int low = 0;
        int high = blocks.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = blocks[middle].Bytes < bytes ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    private void Release(CudaBlock block)
    {
        Reserved -= block.Bytes;
        Allocator.ToDriver(block);
    }
}
