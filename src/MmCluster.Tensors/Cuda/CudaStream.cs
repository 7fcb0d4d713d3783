using System.Collections.Concurrent;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Cuda;

/// <summary>
/// An ordered queue of a GPU's work, not ordered against the legacy default stream. Calls may come from any thread, but a capture belongs to
/// the thread that began it.
/// </summary>
internal sealed unsafe class CudaStream : IDisposable
{
    private const uint NonBlocking = 1;
    private const long MostByKernel = 256 << 10; // beyond, the copy engines' speed counts

    private readonly nint _handle;
    private readonly ConcurrentDictionary<object, CudaBlock> _scratch = new(ReferenceEqualityComparer.Instance);
    private CudaKernel? _copyWords;
    private bool _disposed;

    /// <param name="context">The GPU.</param>
    /// <param name="highPriority">Whether its work goes before that of other streams, as far as the GPU can.</param>
    internal CudaStream(CudaContext context, bool highPriority = false)
    {
        context.Bind();
        Context = context;
        nint stream;
        CudaCall.Check(CudaDriver.cuStreamCreateWithPriority(&stream, NonBlocking, highPriority ? -1 : 0));
        _handle = stream;
    }

    /// <summary>The GPU.</summary>
    internal CudaContext Context { get; }

    /// <summary>See <see cref="CudaContext.Deterministic"/>.</summary>
    internal bool Deterministic { get; set; }

    /// <summary>Memory that a capture on this stream takes and keeps; null outside one.</summary>
    internal CudaMemoryPool? CapturePool { get; private set; }

    /// <summary>Whether it is gone; its work was done then.</summary>
    internal bool IsDisposed => _disposed;

    /// <summary>CUstream</summary>
    internal nint Handle
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _handle;
        }
    }

    /// <summary>Whether all its work is done.</summary>
    internal bool IsIdle
    {
        get
        {
            Context.Bind();
            CudaResult result = CudaDriver.cuStreamQuery(Handle);
            if (result != CudaResult.NotReady)
            {
                CudaCall.Check(result, "cuStreamQuery");
            }

            return result == CudaResult.Success;
        }
    }

    /// <summary>Bytes in use that were taken for its work, its scratch memory among them. The allocator counts.</summary>
    internal long AllocatedBytes { get; set; }

    /// <summary>
    /// Address of memory that <paramref name="user"/>'s kernels on this stream share, which runs one of them at a time. Taken at the first use, with
    /// <paramref name="zeros"/> bytes of zeros in front, and given back with the stream. The calling thread's stream is this one.
    /// </summary>
    /// <exception cref="InvalidOperationException">It is not there yet and the stream records: it would be the graphs' own.</exception>
    internal nint Scratch(object user, long bytes, long zeros = 0) => _scratch.TryGetValue(user, out CudaBlock? block) ? block.Address : TakeScratch(user, bytes, zeros);

    /// <summary>Waits until all its work is done; an error of a kernel shows here.</summary>
    internal void Synchronize()
    {
        Context.Bind();
        CudaCall.Check(CudaDriver.cuStreamSynchronize(Handle));
    }

    /// <summary>Copies a whole number of words behind what is on the stream, from or to a <see cref="PinnedBuffer"/> that stays as it is until then.</summary>
    internal void CopyWords(void* from, void* to, long bytes)
    {
        if (bytes <= MostByKernel)
        {
            int words = (int)(bytes / sizeof(int));
            _copyWords ??= Context.Kernels["indices", "copy_words"];
            _copyWords.Launch(this, (words + 255) / 256, 256, 0, from, to, words);
        }
        else
        {
            Context.Bind();
            CudaCall.Check(CudaDriver.cuMemcpyAsync((nint)to, (nint)from, (nuint)bytes, Handle));
        }
    }

    /// <summary>Lets what comes next on this stream wait for <paramref name="recorded"/>; the caller does not wait.</summary>
    internal void Wait(CudaEvent recorded)
    {
        Context.Bind();
        CudaCall.Check(CudaDriver.cuStreamWaitEvent(Handle, recorded.Handle, 0));
    }

    /// <summary>
    /// Records what <paramref name="work"/> sends to this stream as a graph instead of running it. Memory taken meanwhile comes from
    /// <paramref name="pool"/> and stays the graphs' own. Whatever needs the GPU at once (module loading, tuning, waiting) must have happened before.
    /// </summary>
    internal CudaGraph Capture(CudaMemoryPool pool, Action work)
    {
        using Lock.Scope recording = Context.Recording.EnterScope();
        using CudaContext.StreamScope current = Context.Use(this);
        CapturePool = pool;
        nint graph = 0;
        bool complete = false;
        try
        {
            CudaCall.Check(CudaDriver.cuStreamBeginCapture_v2(Handle, CaptureMode.ThreadLocal));
            try
            {
                work();
                complete = true;
            }
            finally
            {
                CudaResult ended = CudaDriver.cuStreamEndCapture(Handle, &graph);
                if (complete)
                {
                    CudaCall.Check(ended, "cuStreamEndCapture");
                }
                else if (graph != 0)
                {
                    _ = CudaDriver.cuGraphDestroy(graph);
                }
            }
        }
        finally
        {
            CapturePool = null;
        }

        return new CudaGraph(Context, graph);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed && Context.Lost.IsCompleted)
        {
            _disposed = true; // went with its context
        }
        else if (!_disposed)
        {
            Synchronize();
            foreach (CudaBlock block in _scratch.Values)
            {
                block.Free();
            }

            Context.Allocator.Forget(this);
            _disposed = true;
            CudaCall.Check(CudaDriver.cuStreamDestroy_v2(_handle));
        }
    }

    private nint TakeScratch(object user, long bytes, long zeros)
    {
        lock (_scratch) // threads that have chosen no stream share one
        {
            if (_scratch.TryGetValue(user, out CudaBlock? known))
            {
                return known.Address;
            }

            if (CapturePool is not null)
            {
                throw new InvalidOperationException("cuda: run the work once before its capture, so that its scratch memory is there");
            }

            CudaBlock block = Context.Allocator.Allocate(bytes, keeps: true);
            if (zeros > 0)
            {
                CudaCall.Check(CudaDriver.cuMemsetD8Async(block.Address, 0, (nuint)zeros, Handle));
            }

            _scratch[user] = block;
            return block.Address;
        }
    }
}

/// <summary>A point in a stream's work, for other streams and the processor to wait for.</summary>
internal sealed unsafe class CudaEvent : IDisposable
{
    private const uint DisableTiming = 2;

    private readonly CudaContext _context;
    private bool _disposed;

    /// <param name="context">The GPU.</param>
    /// <param name="timed">Whether times between events are wanted; waiting is cheaper without.</param>
    internal CudaEvent(CudaContext context, bool timed = false)
    {
        context.Bind();
        _context = context;
        nint handle;
        CudaCall.Check(CudaDriver.cuEventCreate(&handle, timed ? 0 : DisableTiming));
        Handle = handle;
    }

    /// <summary>CUevent</summary>
    internal nint Handle { get; }

    /// <summary>Whether the work before it is done.</summary>
    internal bool IsDone
    {
        get
        {
            _context.Bind();
            CudaResult result = CudaDriver.cuEventQuery(Handle);
            if (result != CudaResult.NotReady)
            {
                CudaCall.Check(result, "cuEventQuery");
            }

            return result == CudaResult.Success;
        }
    }

    /// <summary>Marks the end of what is on the stream now.</summary>
    internal void Record(CudaStream stream)
    {
        _context.Bind();
        CudaCall.Check(CudaDriver.cuEventRecord(Handle, stream.Handle));
    }

    /// <summary>Waits for it on the processor.</summary>
    internal void Synchronize()
    {
        _context.Bind();
        CudaCall.Check(CudaDriver.cuEventSynchronize(Handle));
    }

    /// <summary>Milliseconds from another timed event to this one; both are done.</summary>
    internal float MillisecondsSince(CudaEvent start)
    {
        float milliseconds;
        CudaCall.Check(CudaDriver.cuEventElapsedTime_v2(&milliseconds, start.Handle, Handle));
        return milliseconds;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            if (!_context.Lost.IsCompleted)
            {
                _context.Bind();
                _ = CudaDriver.cuEventDestroy_v2(Handle);
            }
        }
    }
}
