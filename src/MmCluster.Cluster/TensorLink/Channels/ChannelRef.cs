using MmCluster.Engine.Pipeline;

namespace MmCluster.Cluster.TensorLink.Channels;

/// <summary>Names the receiving end of a channel that waits for its sender. Small enough for a grain call.</summary>
/// <param name="Owner">Where it waits.</param>
/// <param name="Id">Which of the owner's channels; good for one connection.</param>
/// <param name="Shape">What it carries.</param>
public sealed record ChannelRef(LinkAddress Owner, long Id, ChannelShape Shape)
{
    /// <summary>Whether the receiver would rather read rows from a GPU than from the host's memory. A sender may do either.</summary>
    public bool TakesDeviceRows { get; init; }
}

/// <summary>What a channel carries, agreed on by both ends.</summary>
/// <param name="Frames">Messages in flight at most: as many buffers are kept on either side.</param>
/// <param name="Rows">Rows of activations a message may have; 0 for none.</param>
/// <param name="Width">Elements a row, F32.</param>
public sealed record ChannelShape(int Frames, int Rows, int Width)
{
    /// <summary>Longest header. Prompts travel in headers, so it is large; buffers grow to what is used.</summary>
    public const int MaxHeaderBytes = 64 << 20;

    /// <summary>What a pipeline asks for.</summary>
    public static ChannelShape Of(PipelineChannels channel) => new(channel.Frames, channel.Rows, channel.Width);

    /// <summary>Bytes of one message's activations.</summary>
    internal long FrameBytes => (long)Rows * Width * sizeof(float);

    // Whole pages, so that one frame's writer and another's reader share none.
    internal long FrameStride => (FrameBytes + 4095) / 4096 * 4096;

    internal long MemoryBytes => FrameStride * Frames;

    /// <exception cref="ArgumentOutOfRangeException">A size is out of range.</exception>
    internal ChannelShape Checked()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Frames, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Frames, 1024);
        ArgumentOutOfRangeException.ThrowIfNegative(Rows);
        ArgumentOutOfRangeException.ThrowIfNegative(Width);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(FrameBytes, int.MaxValue);
        return this;
    }
}
