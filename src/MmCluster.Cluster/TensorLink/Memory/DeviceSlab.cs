using MmCluster.Tensors;

namespace MmCluster.Cluster.TensorLink.Memory;

/// <summary>
/// Memory of a device that processes of one machine share through a descriptor. Disposing unmaps it, when nobody uses tensors over it any more; without that the collector
/// does, which does not know how much it is.
/// </summary>
internal abstract class DeviceSlab : IDisposable
{
    /// <summary>Its size.</summary>
    public abstract long Bytes { get; }

    /// <summary>What another process opens it by.</summary>
    public abstract int Descriptor { get; }

    /// <summary>[shape] F32 at an offset.</summary>
    public abstract Tensor View(long offset, Shape shape);

    /// <summary>Unmaps it; a second call does nothing.</summary>
    public abstract void Dispose();
}

/// <summary>Makes and opens such memory. Tests have some that is the host's.</summary>
internal interface IDeviceSlabs
{
    /// <summary>Whether there is something to share of a device: frames of the processor are the host's memory anyway.</summary>
    bool Shares(Device device);

    /// <summary>Takes memory of a device.</summary>
    /// <exception cref="InsufficientMemoryException">The device has not so much.</exception>
    /// <exception cref="NotSupportedException">It cannot be shared.</exception>
    DeviceSlab Create(Device device, long bytes);

    /// <summary>Maps a peer's memory, to be read on <paramref name="device"/>; takes the descriptor over, also where it fails.</summary>
    /// <exception cref="NotSupportedException">The device cannot reach it, or it is not of that size.</exception>
    DeviceSlab Open(Device device, int descriptor, long bytes);
}

/// <summary>Memory of GPUs.</summary>
internal sealed class GpuSlabs : IDeviceSlabs
{
    public bool Shares(Device device) => !device.IsCpu;

    public DeviceSlab Create(Device device, long bytes) => new Slab(GpuShare.Create(device, bytes));

    public DeviceSlab Open(Device device, int descriptor, long bytes) => new Slab(GpuShare.Open(device, descriptor, bytes));

    private sealed class Slab(GpuShare share) : DeviceSlab
    {
        public override long Bytes => share.Bytes;

        public override int Descriptor => share.Descriptor;

        public override Tensor View(long offset, Shape shape) => share.View(offset, shape, DType.F32);

        public override void Dispose() => share.Dispose();
    }
}
