namespace Grpc.Core;

/// <summary>How a message is to be written.</summary>
[Flags]
public enum WriteFlags
{
    /// <summary>More follows soon: the message may wait in a buffer.</summary>
    BufferHint = 1,

    /// <summary>The message is not compressed, even if the stream's encoding would allow it.</summary>
    NoCompress = 2,
}

/// <summary>Options of a write.</summary>
public class WriteOptions
{
    /// <summary>Options without flags.</summary>
    public static readonly WriteOptions Default = new();

    /// <summary>Creates options.</summary>
    public WriteOptions(WriteFlags flags = default) => Flags = flags;

    /// <summary>The flags.</summary>
    public WriteFlags Flags { get; }
}
