using System.Net.Sockets;

namespace MmCluster.Cluster.TensorLink.Wire;

/// <summary>Whole-buffer reads and writes.</summary>
internal static class SocketExtensions
{
    /// <summary>Sends all of <paramref name="bytes"/>.</summary>
    public static async ValueTask SendAllAsync(this Socket socket, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None, cancellationToken)..];
        }
    }

    /// <summary>Fills <paramref name="bytes"/>.</summary>
    /// <exception cref="EndOfStreamException">The peer closed first.</exception>
    public static async ValueTask ReceiveAllAsync(this Socket socket, Memory<byte> bytes, CancellationToken cancellationToken)
    {
        if (!await socket.TryReceiveAllAsync(bytes, cancellationToken))
        {
            throw new EndOfStreamException("tensor link: the peer closed the connection");
        }
    }

    /// <summary>Fills <paramref name="bytes"/>; false when the peer closed before the first of them.</summary>
    /// <exception cref="EndOfStreamException">The peer closed in the middle.</exception>
    public static async ValueTask<bool> TryReceiveAllAsync(this Socket socket, Memory<byte> bytes, CancellationToken cancellationToken)
    {
        int got = 0;
        while (got < bytes.Length)
        {
            int count = await socket.ReceiveAsync(bytes[got..], SocketFlags.None, cancellationToken);
            if (count == 0)
            {
                return got == 0 ? false : throw new EndOfStreamException("tensor link: the peer closed the connection in a message");
            }
            got += count;
        }
        return true;
    }
}
