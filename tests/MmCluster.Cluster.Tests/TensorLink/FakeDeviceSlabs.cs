using MmCluster.Cluster.TensorLink.Memory;
using MmCluster.Cluster.TensorLink.Native;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.TensorLink;

/// <summary>The host's memory in the part of a GPU's.</summary>
internal sealed class FakeDeviceSlabs : IDeviceSlabs
{
    /// <summary>Slabs made so far.</summary>
    public int Created { get; private set; }

    /// <summary>Whether this process may share memory at all.</summary>
    public bool CanCreate { get; init; } = true;

    /// <summary>Whether it reaches the memory of peers.</summary>
    public bool CanOpen { get; init; } = true;

    /// <summary>What slabs say of their size beside what they have.</summary>
    public long Lie { get; init; }

    public bool Shares(Device device) => true;

    public DeviceSlab Create(Device device, long bytes)
    {
        if (!CanCreate)
        {
            throw new NotSupportedException("no sharing here");
        }
        Created++;
        return new Slab(SharedMemory.Create(bytes), Lie);
    }

    public DeviceSlab Open(Device device, int descriptor, long bytes)
    {
        if (CanOpen)
        {
            return new Slab(SharedMemory.Open(descriptor, bytes), 0);
        }
        _ = LibC.Close(descriptor);
        throw new NotSupportedException("out of reach");
    }

    private sealed class Slab(SharedMemory memory, long lie) : DeviceSlab
    {
        public override long Bytes => memory.Bytes + lie;

        public override int Descriptor => memory.Descriptor;

        public override Tensor View(long offset, Shape shape) => Tensor.FromMemory(
            memory.Address + (nint)offset, memory.Bytes - offset, shape, DType.F32, memory, readOnly: false);
    }
}
