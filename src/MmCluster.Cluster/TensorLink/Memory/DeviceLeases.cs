using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.TensorLink.Memory;

/// <summary>
/// A silo's exported memory of its devices, leased by offset: one slab a device, made when it is first asked for, and a further one where that is too small. Slabs stay
/// until the process ends: their memory is used again by the next replica. Safe to call from any thread.
/// </summary>
internal sealed class DeviceLeases(IDeviceSlabs slabs, long leastBytes)
{
    private readonly Lock _gate = new();
    private readonly List<(Device Device, DeviceSlab Slab, SlabSpace Space)> _slabs = [];

    /// <summary>Bytes under lease.</summary>
    public long LeasedBytes
    {
        get
        {
            lock (_gate)
            {
                return _slabs.Sum(slab => slab.Space.UsedBytes);
            }
        }
    }

    /// <summary>A piece of a device's slab, or null where its memory cannot be shared, or there is none: rows go through the host then.</summary>
    public DeviceLease? TryTake(Device device, long bytes)
    {
        lock (_gate)
        {
            foreach ((Device Device, DeviceSlab Slab, SlabSpace Space) known in _slabs.Where(known => known.Device == device))
            {
                if (known.Space.TryTake(bytes) is { } piece)
                {
                    return new DeviceLease(known.Slab, known.Space, piece.Offset, piece.Bytes);
                }
            }
            try
            {
                DeviceSlab slab = slabs.Create(device, Math.Max(bytes, leastBytes));
                SlabSpace space = new(slab.Bytes);
                _slabs.Add((device, slab, space));
                return space.TryTake(bytes) is { } piece ? new DeviceLease(slab, space, piece.Offset, piece.Bytes) : null;
            }
            catch (Exception error) when (error is NotSupportedException or InsufficientMemoryException or MmException)
            {
                return null;
            }
        }
    }
}

/// <summary>A piece of a device's slab. Disposing gives it back; whoever forgets to leaves that to the collector.</summary>
internal sealed class DeviceLease(DeviceSlab slab, SlabSpace space, long offset, long bytes) : IDisposable
{
    private bool _disposed;

    ~DeviceLease() => Give();

    /// <summary>Where it lies.</summary>
    public DeviceSlab Slab => slab;

    /// <summary>From the slab's start.</summary>
    public long Offset => offset;

    /// <summary>Gives it back: nobody writes to it any more. A second call does nothing.</summary>
    public void Dispose()
    {
        Give();
        GC.SuppressFinalize(this);
    }

    private void Give()
    {
        if (!Interlocked.Exchange(ref _disposed, true))
        {
            space.Give(offset, bytes);
        }
    }
}
