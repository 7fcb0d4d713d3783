using System.Collections.Concurrent;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Cuda;

/// <summary>
/// Copies large runs of ordinary memory, such as a mapped checkpoint, to a GPU: several threads copy pieces into a small pinned ring, from where the GPU fetches them
/// meanwhile. The driver alone does that on one thread, at a third of the speed or less. Thread-safe; one copy at a time.
/// </summary>
internal sealed unsafe class HostUpload
{
    /// <summary>Below this the driver is as fast.</summary>
    internal const long LeastBytes = 2L << 20;

    private const long PieceBytes = 2L << 20;
    private const int Pieces = 24;

    private static readonly ParallelOptions Threads = new() { MaxDegreeOfParallelism = Math.Clamp(Environment.ProcessorCount, 1, 12) };

    private readonly CudaContext _context;
    private readonly Lock _gate = new();
    private readonly ConcurrentQueue<int> _idle = new(Enumerable.Range(0, Pieces));
    private readonly CudaEvent[] _fetched;
    private readonly Lazy<PinnedBuffer> _ring;

    internal HostUpload(CudaContext context)
    {
        _context = context;
        _ring = new Lazy<PinnedBuffer>(() => new PinnedBuffer(context, Pieces * PieceBytes));
        _fetched = [.. Enumerable.Range(0, Pieces).Select(_ => new CudaEvent(context))];
    }

    /// <summary>Queues the copy on <paramref name="stream"/>; when it returns, the source may be reused.</summary>
    internal void Copy(byte* source, nint target, long bytes, CudaStream stream)
    {
        lock (_gate)
        {
            byte* ring = _ring.Value.Address;
            Parallel.For(0, (bytes + PieceBytes - 1) / PieceBytes, Threads, piece =>
            {
                // There are more places than threads, so one is always there; the oldest is the first to be fetched.
                int place;
                while (!_idle.TryDequeue(out place))
                {
                }

                byte* pinned = ring + (place * PieceBytes);
                long offset = piece * PieceBytes;
                long length = Math.Min(PieceBytes, bytes - offset);
                try
                {
                    _fetched[place].Synchronize();
                    Buffer.MemoryCopy(source + offset, pinned, length, length);
                    _context.Bind();
                    CudaCall.Check(CudaDriver.cuMemcpyHtoDAsync_v2(target + (nint)offset, pinned, (nuint)length, stream.Handle));
                    _fetched[place].Record(stream);
                }
                finally
                {
                    _idle.Enqueue(place);
                }
            });
        }
    }
}
