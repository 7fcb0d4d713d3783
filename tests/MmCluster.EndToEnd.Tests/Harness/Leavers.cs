using System.Collections.Concurrent;
using System.Net.Sockets;
using Grpc.Net.Client;
using MmCluster.Protos.V1;

namespace MmCluster.EndToEnd.Tests.Harness;

/// <summary>Clients of streams that go all at once: they cancel their calls, or their connections are reset as when their machine is gone.</summary>
internal sealed class Leavers : IDisposable
{
    private readonly ConcurrentBag<Socket> _sockets = [];
    private readonly CancellationTokenSource _leave;
    private readonly GrpcChannel _channel;
    private readonly Generation.GenerationClient _client;
    private readonly bool _vanish;

    public Leavers(ClusterGateway gateway, bool vanish, CancellationToken stop)
    {
        _vanish = vanish;
        _leave = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var handler = new SocketsHttpHandler { EnableMultipleHttp2Connections = true, ConnectCallback = ConnectAsync };
        _channel = GrpcChannel.ForAddress(gateway.Address, new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
        _client = new Generation.GenerationClient(_channel);
    }

    /// <summary>Reads a stream to its end, which the leaving is.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="begun">Called with each event.</param>
    public async Task ReadAsync(GenerateRequest request, Action begun)
    {
        using Grpc.Core.AsyncServerStreamingCall<GenerateEvent> call = _client.Generate(request, cancellationToken: _leave.Token);
        while (await call.ResponseStream.MoveNext(_leave.Token))
        {
            begun();
        }
    }

    public async Task LeaveAsync()
    {
        if (!_vanish)
        {
            await _leave.CancelAsync();
            return;
        }
        foreach (Socket socket in _sockets)
        {
            socket.LingerState = new LingerOption(enable: true, seconds: 0);
            socket.Close();
        }
    }

    public void Dispose()
    {
        _channel.Dispose();
        _leave.Dispose();
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
        _sockets.Add(socket);
        return new NetworkStream(socket, ownsSocket: true);
    }
}
