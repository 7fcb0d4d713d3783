using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Orleans.Serialization;

namespace Orleans.Runtime.Net;

/// <summary>What a listener does with a greeting: null accepts it, a text refuses it.</summary>
internal delegate string? GreetingCheck(Hello hello);

/// <summary>Accepts connections on one port and shakes hands; a peer that does not speak in time is cut off.</summary>
internal sealed partial class Listener : IDisposable
{
    public static readonly TimeSpan HelloTimeout = TimeSpan.FromSeconds(5);

    private readonly Socket _socket;
    private readonly int _maxFrame;
    private readonly GreetingCheck _check;
    private readonly SiloAddress _self;
    private readonly IFrameHandler _handler;
    private readonly Action<Connection> _onAccepted;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private volatile bool _stopped;

    public Listener(IPEndPoint endpoint, int maxFrame, SiloAddress self, GreetingCheck check, IFrameHandler handler, Action<Connection> onAccepted, TimeProvider time, ILogger logger)
    {
        _maxFrame = maxFrame;
        _self = self;
        _check = check;
        _handler = handler;
        _onAccepted = onAccepted;
        _time = time;
        _logger = logger;
        _socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        _socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        _socket.Bind(endpoint);
        _socket.Listen(1024);
    }

    public void Start() => _ = AcceptAsync();

    public void Dispose()
    {
        _stopped = true;
        _socket.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stopped)
        {
            try
            {
                Socket accepted = await _socket.AcceptAsync();
                _ = ServeAsync(accepted);
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                if (!_stopped)
                {
                    // Out of descriptors, mostly: wait for some to be closed.
                    LogAcceptFailed(_logger, error.Message);
                    await Task.Delay(TimeSpan.FromMilliseconds(100), _time);
                }
            }
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        Connection connection = new(socket, _maxFrame);
        try
        {
            using CancellationTokenSource late = new(HelloTimeout, _time);
            Hello hello = Hello.Read(await connection.ReadHelloAsync(FrameType.Hello, late.Token));
            string? refusal = _check(hello);
            await ReplyAsync(connection, refusal, late.Token);
            if (refusal is not null)
            {
                throw new InvalidDataException(refusal);
            }
            connection.PeerSilo = hello.Silo;
            connection.PeerClient = hello.Silo is null ? hello.Client : Guid.Empty;
        }
        catch (Exception error)
        {
            LogRefused(_logger, connection.Peer, error.Message);
            connection.Dispose();
            return;
        }
        _onAccepted(connection);
        await connection.RunAsync(_handler);
    }

    private async Task ReplyAsync(Connection connection, string? refusal, CancellationToken stop)
    {
        MessageWriter writer = MessageWriter.Rent();
        new HelloReply(_self, refusal ?? "").Write(writer);
        byte[] bytes = Connection.Finish(writer);
        writer.Return();
        await connection.SendNowAsync(bytes, stop);
    }

    [LoggerMessage(EventId = 1601, Level = LogLevel.Warning, Message = "A connection from {Peer} was refused: {Reason}.")]
    private static partial void LogRefused(ILogger logger, string peer, string reason);

    [LoggerMessage(EventId = 1602, Level = LogLevel.Warning, Message = "Connections cannot be accepted: {Reason}.")]
    private static partial void LogAcceptFailed(ILogger logger, string reason);
}

/// <summary>Makes connections to silos.</summary>
internal static class Dialler
{
    /// <summary>Connects and shakes hands.</summary>
    /// <exception cref="InvalidDataException">The other side refuses, or is someone else.</exception>
    public static async Task<Connection> DialAsync(EndPoint endpoint, Hello hello, int maxFrame, TimeProvider time)
    {
        Socket socket = new(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        Connection? connection = null;
        try
        {
            using CancellationTokenSource late = new(Listener.HelloTimeout, time);
            await socket.ConnectAsync(endpoint, late.Token);
            connection = new Connection(socket, maxFrame);
            MessageWriter writer = MessageWriter.Rent();
            hello.Write(writer);
            byte[] bytes = Connection.Finish(writer);
            writer.Return();
            await connection.SendNowAsync(bytes, late.Token);
            HelloReply reply = HelloReply.Read(await connection.ReadHelloAsync(FrameType.HelloReply, late.Token));
            if (reply.Refusal.Length > 0)
            {
                throw new InvalidDataException($"{endpoint} refuses: {reply.Refusal}");
            }
            connection.PeerSilo = reply.Silo;
            return connection;
        }
        catch
        {
            connection?.Dispose();
            socket.Dispose();
            throw;
        }
    }
}
