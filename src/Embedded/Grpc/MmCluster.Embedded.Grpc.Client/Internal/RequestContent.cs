using Grpc.Core.Internal;

namespace Grpc.Net.Client.Internal;

/// <summary>
/// One request in a rented array. An array content is no duplex content: SocketsHttpHandler sends headers and body in one
/// piece, which a content derived from HttpContent could not ask for.
/// </summary>
internal sealed class RequestContent((byte[] Array, int Length) frame) : ByteArrayContent(frame.Array, 0, frame.Length)
{
    /// <summary>The body has been sent: the array is free again. Never called for a failed call, whose body may still be read.</summary>
    public void Sent() => FrameWriter.Return(frame.Array);
}
