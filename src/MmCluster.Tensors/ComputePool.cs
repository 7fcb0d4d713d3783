using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace MmCluster.Tensors;

/// <summary>One piece of a parallel loop. Plain data: pointers and numbers, so that nothing is allocated to run it.</summary>
internal interface IParallelBody
{
    /// <summary>Does part <paramref name="part"/>. Parts write different memory and may run in any order on any worker.</summary>
    void Invoke(int part);
}

/// <summary>
/// The threads that kernels run on. The calling thread is one of them. Regions of different callers queue; a region inside a region runs on
/// its own thread. Workers spin for at most 50 µs after a region, then park.
/// </summary>
/// <remarks>
/// A region's parts are claimed by incrementing one 64-bit ticket that holds the number of parts above the next part: whoever draws a number
/// below the number of parts owns that part, and as long as he does the region cannot end, so its body stays valid. A worker that comes late
/// draws a number past the end and touches nothing.
/// </remarks>
public sealed unsafe class ComputePool : IDisposable
{
    private const int PartBits = 32;
    private static readonly long SpinTicks = Stopwatch.Frequency / 20_000; // 50 µs

    [ThreadStatic]
    private static bool _inside;

    private readonly Lock _regions = new();
    private readonly Worker[] _workers;
    private Line _ticket;
    private Line _done;
    private delegate*<void*, int, void> _invoke;
    private void* _body;
    private Exception? _failure;
    private volatile bool _stopping;

    /// <summary>A pool of <paramref name="threads"/> threads, the caller's included.</summary>
    /// <param name="threads">1 to 1024.</param>
    public ComputePool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, 1024);
        Threads = threads;
        _workers = new Worker[threads - 1];
        for (int i = 0; i < _workers.Length; i++)
        {
            _workers[i] = new Worker(this, i + 1);
        }
    }

    /// <summary>Threads that a region runs on.</summary>
    public int Threads { get; }

    /// <summary>CPUs this process may use: the cgroup's quota or the affinity mask, whichever is smaller.</summary>
    public static int AvailableCpus => Environment.ProcessorCount; // .NET counts both, rounding the quota up

    /// <summary>Ends the workers after the region in progress; regions begun later run on their callers' threads alone.</summary>
    public void Dispose()
    {
        lock (_regions)
        {
            _stopping = true;
            foreach (Worker worker in _workers)
            {
                worker.Wake();
            }
        }
    }

    /// <summary>Runs parts 0..<paramref name="parts"/>-1 of a body and returns when all are done.</summary>
    internal void Run<TBody>(int parts, ref TBody body) where TBody : unmanaged, IParallelBody
    {
        if (parts <= 1 || _workers.Length == 0 || _inside || _stopping)
        {
            for (int part = 0; part < parts; part++)
            {
                body.Invoke(part);
            }

            return;
        }

        fixed (TBody* pinned = &body)
        {
            RunRegion(parts, pinned, &Invoke<TBody>);
        }
    }

    private static void Invoke<TBody>(void* body, int part) where TBody : unmanaged, IParallelBody => ((TBody*)body)->Invoke(part);

    private void RunRegion(int parts, void* body, delegate*<void*, int, void> invoke)
    {
        _regions.Enter();
        try
        {
            _body = body;
            _invoke = invoke;
            _failure = null;
            _done.Value = 0;
            Interlocked.Exchange(ref _ticket.Value, (long)parts << PartBits);
            foreach (Worker worker in _workers)
            {
                worker.WakeIfParked();
            }

            Work();
            AwaitDone(parts);
            if (_failure is { } failure)
            {
                throw new AggregateException("compute pool: a part of a parallel loop failed", failure);
            }
        }
        finally
        {
            _regions.Exit();
        }
    }

    private bool HasWork()
    {
        long ticket = Volatile.Read(ref _ticket.Value);
        return (uint)ticket < (uint)(ticket >> PartBits);
    }

    private void Work()
    {
        _inside = true;
        while (HasWork())
        {
            long ticket = Interlocked.Increment(ref _ticket.Value) - 1;
            if ((uint)ticket >= (uint)(ticket >> PartBits))
            {
                break;
            }

            try
            {
                _invoke(_body, (int)ticket);
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                _failure = error;
            }

            Interlocked.Increment(ref _done.Value);
        }

        _inside = false;
    }

    private void AwaitDone(int parts)
    {
        for (int spins = 0; Volatile.Read(ref _done.Value) < parts; spins++)
        {
            if ((spins & 4095) == 4095)
            {
                Thread.Yield(); // a worker has lost its CPU: offer ours
            }

            Pause();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pause()
    {
        if (X86Base.IsSupported)
        {
            X86Base.Pause();
        }
        else
        {
            Thread.SpinWait(1);
        }
    }

    /// <summary>A number alone on its cache lines.</summary>
    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Explicit, Size = 256)]
    private struct Line
    {
        [System.Runtime.InteropServices.FieldOffset(128)]
        internal long Value;
    }

    private sealed class Worker
    {
        private readonly ComputePool _pool;
        private readonly object _gate = new();
        private int _parked;

        internal Worker(ComputePool pool, int index)
        {
            _pool = pool;
            new Thread(Loop) { IsBackground = true, Name = $"mm-compute-{index}" }.Start();
        }

        internal void WakeIfParked()
        {
            if (Volatile.Read(ref _parked) != 0)
            {
                Wake();
            }
        }

        internal void Wake()
        {
            if (Interlocked.Exchange(ref _parked, 0) != 0)
            {
                lock (_gate)
                {
                    Monitor.Pulse(_gate);
                }
            }
        }

        private void Loop()
        {
            while (!_pool._stopping)
            {
                if (_pool.HasWork())
                {
                    _pool.Work();
                }
                else
                {
                    Idle();
                }
            }
        }

        private void Idle()
        {
            long end = Stopwatch.GetTimestamp() + SpinTicks;
            while (Stopwatch.GetTimestamp() < end)
            {
                for (int i = 0; i < 16; i++)
                {
                    if (_pool.HasWork() || _pool._stopping)
                    {
                        return;
                    }

                    Pause();
                }
            }

            Interlocked.Exchange(ref _parked, 1); // before the last look: whoever adds work after it sees the flag
            lock (_gate)
            {
                while (Volatile.Read(ref _parked) != 0 && !_pool.HasWork() && !_pool._stopping)
                {
                    Monitor.Wait(_gate);
                }
            }

            Volatile.Write(ref _parked, 0);
        }
    }
}
