using MmCluster.Cluster.TensorLink.Memory;
using MmCluster.Cluster.TensorLink.Native;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.TensorLink;

/// <summary>The host's memory in the part of a GPU's.</summary>
internal sealed class FakeDeviceSlabs : IDeviceSlabs
{
    private int _mapped;

    /// <summary>Slabs made or opened that have not been let go.</summary>
    public int Mapped => Volatile.Read(ref _mapped);

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
        return new Slab(this, SharedMemory.Create(bytes), Lie);
    }

    public DeviceSlab Open(Device device, int descriptor, long bytes)
    {
        if (CanOpen)
        {
            return new Slab(this, SharedMemory.Open(descriptor, bytes), 0);
        }
        _ = LibC.Close(descriptor);
        throw new NotSupportedException("out of reach");
    }

    private sealed class Slab : DeviceSlab
    {
        private readonly FakeDeviceSlabs _owner;
        private readonly SharedMemory _memory;
        private readonly long _lie;
        private bool _disposed;

        public Slab(FakeDeviceSlabs owner, SharedMemory memory, long lie)
        {
            (_owner, _memory, _lie) = (owner, memory, lie);
            Interlocked.Increment(ref owner._mapped);
        }

        public override long Bytes => _memory.Bytes + _lie;

        public override int Descriptor => _memory.Descriptor;

        public override Tensor View(long offset, Shape shape) => Tensor.FromMemory(
            _memory.Address + (nint)offset, _memory.Bytes - offset, shape, DType.F32, _memory, readOnly: false);

        public override void Dispose()
        {
            if (!Interlocked.Exchange(ref _disposed, true))
            {
                Interlocked.Decrement(ref _owner._mapped);
                _memory.Dispose();
            }
        }
    }
}
