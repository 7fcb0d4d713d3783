using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MmCluster.Fuzz.Grpc;

/// <summary>Writes HTTP/2 frames by hand, right or wrong.</summary>
internal sealed class RawHttp2 : IDisposable
{
    public const byte Data = 0;
    public const byte Headers = 1;
    public const byte ResetStream = 3;
    public const byte Settings = 4;
    public const byte GoAway = 7;
    public const byte EndStream = 1;
    public const byte EndHeaders = 4;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    public Socket Socket => _socket;

    public static async Task<RawHttp2> ConnectAsync(int port, bool preface = true)
    {
        var connection = new RawHttp2();
        await connection._socket.ConnectAsync(IPAddress.Loopback, port);
        if (preface)
        {
            await connection.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray());
            await connection.FrameAsync(Settings, 0, 0, []);
        }
        return connection;
    }

    /// <summary>A frame; the length may be a lie.</summary>
    public Task FrameAsync(byte type, byte flags, int stream, byte[] payload, int? length = null)
    {
        byte[] frame = new byte[9 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, ((length ?? payload.Length) << 8) | type);
        frame[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame, 9);
        return SendAsync(frame);
    }

    /// <summary>A gRPC request's headers, as literals without a table.</summary>
    public Task RequestAsync(int stream, string path, bool end = false, params (string Name, string Value)[] more)
    {
        using var block = new MemoryStream();
        (string, string)[] fields =
        [
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "fuzz"), ("content-type", "application/grpc"), ("te", "trailers"), .. more,
        ];
        foreach ((string name, string value) in fields)
        {
            block.WriteByte(0);
            WriteString(block, name);
            WriteString(block, value);
        }
        return FrameAsync(Headers, (byte)(EndHeaders | (end ? EndStream : 0)), stream, block.ToArray());
    }

    /// <summary>A message behind its five bytes, which may lie.</summary>
    public static byte[] Message(byte flag, uint length, byte[] payload)
    {
        byte[] message = new byte[5 + payload.Length];
        message[0] = flag;
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(1), length);
        payload.CopyTo(message, 5);
        return message;
    }

    public async Task SendAsync(byte[] bytes)
    {
        for (int sent = 0; sent < bytes.Length;)
        {
            sent += await _socket.SendAsync(bytes.AsMemory(sent));
        }
    }

    /// <summary>Takes what the peer sends until it has been silent for a while or is gone.</summary>
    public async Task<int> DrainAsync(TimeSpan silence)
    {
        byte[] buffer = new byte[16 * 1024];
        int total = 0;
        using var enough = new CancellationTokenSource(silence);
        try
        {
            int read;
            while ((read = await _socket.ReceiveAsync(buffer, enough.Token)) > 0)
            {
                total += read;
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException)
        {
            // Silent, or reset: both are answers.
        }
        return total;
    }

    public void Dispose() => _socket.Dispose();

    private static void WriteString(MemoryStream block, string text)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        int rest = bytes.Length;
        if (rest < 127)
        {
            block.WriteByte((byte)rest);
        }
        else
        {
            block.WriteByte(127);
            for (rest -= 127; rest >= 128; rest >>= 7)
            {
                block.WriteByte((byte)((rest & 127) | 128));
            }
            block.WriteByte((byte)rest);
        }
        block.Write(bytes);
    }
}
