using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Cuda;

/// <summary>
/// Memory of the host that a GPU copies to and from while others work. Pinning costs 0.6 s a GiB: keep small rings, not weights. What a copy
/// reads must stay as it is until an event behind the copy is done.
/// </summary>
internal sealed unsafe class PinnedBuffer : IDisposable
{
    private const uint Portable = 1; // for all contexts

    private byte* _address;

    /// <param name="context">A GPU that will use it; others may too.</param>
    /// <param name="bytes">Its size.</param>
    internal PinnedBuffer(CudaContext context, long bytes)
    {
        context.Bind();
        void* address;
        CudaCall.Check(CudaDriver.cuMemHostAlloc(&address, checked((nuint)Math.Max(bytes, 1)), Portable));
        _address = (byte*)address;
        Bytes = bytes;
    }

    /// <summary>Its size.</summary>
    internal long Bytes { get; }

    /// <summary>First byte.</summary>
    internal byte* Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(_address == null, this);
            return _address;
        }
    }

    /// <summary>Its content from an offset (in bytes) on.</summary>
    internal Span<T> Span<T>(long offset, int count) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + ((long)count * sizeof(T)), Bytes);
        return new Span<T>(Address + offset, count);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_address != null)
        {
            _ = CudaDriver.cuMemFreeHost(_address);
            _address = null;
        }
    }
}
