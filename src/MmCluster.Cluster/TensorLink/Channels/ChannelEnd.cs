using System.Net.Sockets;
using MmCluster.Models;

namespace MmCluster.Cluster.TensorLink.Channels;

/// <summary>
/// What both ends of a channel have: a socket, a thread that always reads it and so learns of a break at once, and one way to close. The kernel answers for the peer's
/// machine (keep-alive), so a busy process is not taken for a dead one.
/// </summary>
public abstract class ChannelEnd : IDisposable
{
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Socket? _socket;
    private MmException? _error;
    private bool _held;

    private protected ChannelEnd(ChannelShape shape) => Shape = shape.Checked();

    /// <summary>What it carries.</summary>
    public ChannelShape Shape { get; }

    /// <summary>Completes when the channel is closed, by either side or by a break.</summary>
    public Task Closed => _closed.Task;

    // A Monitor: its waits allocate nothing.
    private protected object Gate { get; } = new();

    private protected bool IsClosed => _error is not null;

    private protected Socket Socket => _socket!;

    /// <summary>Closes the channel; the peer sees a break. Any thread may call it, and more than once.</summary>
    public void Dispose()
    {
        Close("it was closed on this side");
        GC.SuppressFinalize(this);
    }

    /// <summary>Begins to serve an open connection.</summary>
    private protected void Attach(Socket socket, string name)
    {
        if (socket.AddressFamily != AddressFamily.Unix)
        {
            KeepAlive(socket);
        }
        lock (Gate)
        {
            _socket = socket;
            if (IsClosed)
            {
                Free();
            }
            Monitor.PulseAll(Gate);
        }
        new Thread(Run) { IsBackground = true, Name = name }.Start();
    }

    /// <summary>Reads one message of the peer's, on the end's own thread.</summary>
    private protected abstract void ReadOne();

    /// <summary>Lets go of the memory of frames: the channel is closed and nobody has one in hand. Called under <see cref="Gate"/>, perhaps more than once.</summary>
    private protected abstract void Free();

    /// <summary>A frame goes to the end's user, who works on it without the gate; called under <see cref="Gate"/>.</summary>
    private protected void Hold() => _held = true;

    /// <summary>The user is done with it; called under <see cref="Gate"/>.</summary>
    private protected void LetGo()
    {
        _held = false;
        if (IsClosed)
        {
            Free();
        }
    }

    private protected void Close(string reason)
    {
        lock (Gate)
        {
            _error ??= new MmException(MmErrorCode.Unavailable, $"tensor link: the channel to the other shard is gone: {reason}");
            Monitor.PulseAll(Gate);
        }
        try
        {
            // Ends a read in progress; a disposed socket might be another one by the time it is read.
            _socket?.Shutdown(SocketShutdown.Both);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
        }
        // Behind that: the peer must not take for rows what memory given back holds next.
        lock (Gate)
        {
            if (!_held)
            {
                Free();
            }
        }
        _closed.TrySetResult();
    }

    private protected void ThrowIfClosed()
    {
        if (_error is { } error)
        {
            throw new MmException(error.Code, error.Message);
        }
    }

    private protected void SendAll(ReadOnlySpan<byte> bytes)
    {
        try
        {
            while (bytes.Length > 0)
            {
                bytes = bytes[Socket.Send(bytes)..];
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            Close(error.Message);
            ThrowIfClosed();
        }
    }

    private protected void ReceiveAll(Span<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            int count = Socket.Receive(bytes);
            bytes = count > 0 ? bytes[count..] : throw new EndOfStreamException("the peer closed it or died");
        }
    }

    private static void KeepAlive(Socket socket)
    {
        const int UserTimeout = 18; // TCP_USER_TIMEOUT of Linux, ms
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 1);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 1);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 1);
        socket.SetRawSocketOption((int)ProtocolType.Tcp, UserTimeout, BitConverter.GetBytes(1000));
    }

    private void Run()
    {
        try
        {
            while (!IsClosed)
            {
                ReadOne();
            }
        }
        catch (Exception error) when (error is IOException or SocketException or InvalidDataException or ObjectDisposedException)
        {
            Close(error.Message);
        }
        Socket.Dispose();
    }
}
