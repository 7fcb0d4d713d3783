using System.Buffers;

namespace MmCluster.Cluster.TensorLink.Memory;

/// <summary>Lets sockets read and write native memory without a copy. The caller keeps the memory valid.</summary>
internal sealed unsafe class NativeMemoryManager(nint address, long bytes) : MemoryManager<byte>
{
    // Memory<byte> counts in int; longer regions are reached piece by piece.
    private nint _start;
    private int _length;

    /// <summary>A piece of at most 2 GiB; valid until the next one is taken.</summary>
    public Memory<byte> Slice(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + length, bytes);
        _start = address + (nint)offset;
        _length = length;
        return Memory;
    }

    /// <inheritdoc/>
    public override Span<byte> GetSpan() => new((void*)_start, _length);

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0) => new((byte*)_start + elementIndex);

    /// <inheritdoc/>
    public override void Unpin()
    {
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
    }
}
