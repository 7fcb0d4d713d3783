using MmCluster.Tensors;

namespace MmCluster.Cluster.TensorLink.Memory;

/// <summary>
/// A silo's exported memory of its devices, leased by offset: one slab a device, made when it is first asked for, a further one where that is too small. A slab goes with
/// its last lease, so that what stages took is the device's again when they are unloaded. Safe to call from any thread.
/// </summary>
internal sealed class DeviceLeases(IDeviceSlabs slabs, long leastBytes)
{
    private readonly Lock _gate = new();
    private readonly List<Exported> _slabs = [];

    /// <summary>Bytes under lease.</summary>
    public long LeasedBytes
    {
        get
        {
            lock (_gate)
            {
                return _slabs.Sum(exported => exported.Space.UsedBytes);
            }
        }
    }

    /// <summary>A piece of a device's slab, or null where its memory cannot be shared, or there is none: rows go through the host then.</summary>
    public DeviceLease? TryTake(Device device, long bytes)
    {
        lock (_gate)
        {
            foreach (Exported known in _slabs.Where(known => known.Device == device))
            {
                if (known.Space.TryTake(bytes) is { } piece)
                {
                    return new DeviceLease(this, known, piece.Offset, piece.Bytes);
                }
            }
            try
            {
                DeviceSlab slab = slabs.Create(device, Math.Max(bytes, leastBytes));
                Exported exported = new(device, slab, new SlabSpace(slab.Bytes));
                if (exported.Space.TryTake(bytes) is not { } piece)
                {
                    slab.Dispose(); // smaller than was asked for
                    return null;
                }
                _slabs.Add(exported);
                return new DeviceLease(this, exported, piece.Offset, piece.Bytes);
            }
            catch (Exception error) when (error is NotSupportedException or InsufficientMemoryException)
            {
                return null;
            }
        }
    }

    internal void Give(Exported exported, long offset, long bytes)
    {
        lock (_gate)
        {
            exported.Space.Give(offset, bytes);
            if (exported.Space.UsedBytes == 0)
            {
                _slabs.Remove(exported);
                exported.Slab.Dispose();
            }
        }
    }

    /// <summary>A slab and what of it is free.</summary>
    internal sealed record Exported(Device Device, DeviceSlab Slab, SlabSpace Space);
}

/// <summary>A piece of a device's slab. Disposing gives it back; whoever forgets to leaves that to the collector.</summary>
internal sealed class DeviceLease(DeviceLeases owner, DeviceLeases.Exported exported, long offset, long bytes) : IDisposable
{
    private bool _disposed;

    ~DeviceLease() => Give();

    /// <summary>Where it lies.</summary>
    public DeviceSlab Slab => exported.Slab;

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
            owner.Give(exported, offset, bytes);
        }
    }
}
