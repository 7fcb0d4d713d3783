using MmCluster.Cluster.TensorLink.Memory;
using MmCluster.Engine.Pipeline;
using MmCluster.Tensors;

namespace MmCluster.Cluster.TensorLink.Channels;

/// <summary>The preallocated messages of one end of a channel.</summary>
internal static class ChannelFrames
{
    /// <summary>Frames with memory of their own.</summary>
    public static ShardFrame[] Own(ChannelShape shape) =>
        [.. Enumerable.Range(0, shape.Frames).Select(_ => new ShardFrame(shape.Rows == 0 ? null : Tensor.Empty([shape.Rows, shape.Width])))];

    /// <summary>Frames on a device, from an offset of a slab on.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Beyond the slab's end.</exception>
    public static ShardFrame[] OnDevice(ChannelShape shape, DeviceSlab slab, long offset) =>
        [.. Enumerable.Range(0, shape.Frames).Select(i => new ShardFrame(slab.View(checked(offset + (i * shape.FrameStride)), [shape.Rows, shape.Width])))];

    /// <summary>Frames over memory that both ends have mapped. Tensors keep it mapped: a thread that still reads a frame of a closed channel does no harm.</summary>
    public static ShardFrame[] Shared(ChannelShape shape, SharedMemory memory, bool readOnly) =>
        [.. Enumerable.Range(0, shape.Frames).Select(i => new ShardFrame(Tensor.FromMemory(
            memory.Address + (nint)(i * shape.FrameStride), shape.FrameBytes, [shape.Rows, shape.Width], DType.F32, memory, readOnly)))];
}
