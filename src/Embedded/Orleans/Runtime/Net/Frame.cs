namespace Orleans.Runtime.Net;

/// <summary>What a frame holds; docs/design/003-orleans-wire.md is the whole format.</summary>
internal enum FrameType : byte
{
    Hello = 1,
    HelloReply = 2,
    Request = 3,
    Response = 4,
    Cancel = 5,

    /// <summary>To a client: use other gateways, and close this connection when no call of yours waits for an answer on it.</summary>
    Leaving = 6,
}

/// <summary>Four bytes of length (of what follows), one of type, then the payload.</summary>
internal static class Frame
{
    public const int LengthSize = 4;
    public const int HeaderSize = 5;
    public const int MaxHelloSize = 4096;
    public const ushort Version = 1;

    /// <summary>"MMGC".</summary>
    public const uint Magic = 0x43474D4D;
}

/// <summary>Takes the frames of a connection; called by one thread at a time for each connection.</summary>
internal interface IFrameHandler
{
    /// <exception cref="InvalidDataException">The frame is malformed; the connection is closed.</exception>
    void OnFrame(Connection connection, FrameType type, byte[] data, int offset, int count);

    void OnClosed(Connection connection, Exception? error);
}
