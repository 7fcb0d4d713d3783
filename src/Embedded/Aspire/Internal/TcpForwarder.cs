using System.Net;
using System.Net.Sockets;

namespace Aspire.Hosting.Internal;

/// <summary>One port for several replicas: each connection goes to the next replica that takes it.</summary>
internal sealed class TcpForwarder : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly int[] _targets;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private int _next;

    public TcpForwarder(TcpListener listener, int[] targets)
    {
        _listener = listener;
        _targets = targets;
        _accepting = AcceptAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            try
            {
                _ = ForwardAsync(await _listener.AcceptSocketAsync(_stop.Token));
            }
            catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                if (_stop.IsCancellationRequested)
                {
                    return;
                }
            }
        }
    }

    private async Task ForwardAsync(Socket caller)
    {
        using Socket from = caller;
        using Socket? to = await ConnectAsync();
        if (to is null)
        {
            return;
        }
        from.NoDelay = to.NoDelay = true;
        await Task.WhenAll(CopyAsync(from, to), CopyAsync(to, from));
    }

    private async Task<Socket?> ConnectAsync()
    {
        for (int i = 0; i < _targets.Length; i++)
        {
            int target = _targets[(int)((uint)Interlocked.Increment(ref _next) % (uint)_targets.Length)];
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, target, _stop.Token);
                return socket;
            }
            catch (Exception error) when (error is SocketException or OperationCanceledException)
            {
                socket.Dispose();
            }
        }
        return null;
    }

    private async Task CopyAsync(Socket from, Socket to)
    {
        byte[] buffer = new byte[64 * 1024];
        try
        {
            int read;
            while ((read = await from.ReceiveAsync(buffer, _stop.Token)) > 0)
            {
                for (int sent = 0; sent < read;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, read - sent), _stop.Token);
                }
            }
            to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception error) when (error is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One side is gone: end the other, too.
            to.Close();
            from.Close();
        }
    }
}
