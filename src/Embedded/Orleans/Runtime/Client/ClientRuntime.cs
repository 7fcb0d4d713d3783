using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Messaging;
using Orleans.Runtime.Messaging;
using Orleans.Runtime.Net;
using Orleans.Serialization;

namespace Orleans.Runtime.Client;

/// <summary>
/// A client's end of all calls. It holds a connection to every gateway and sends a call to the silo that last answered for
/// the grain, so that most calls take one hop; the others go round and the gateway sends them on.
/// </summary>
internal sealed partial class ClientRuntime : ReferenceRuntime, IFrameHandler
{
    private readonly Guid _clientId = Guid.NewGuid();
    private readonly ConcurrentDictionary<IPEndPoint, Connection> _gateways = new();
    private readonly ConcurrentDictionary<GrainId, SiloAddress> _places = new();
    private readonly IGatewayListProvider _provider;
    private readonly string _clusterId;
    private readonly int _maxFrame;
    private Connection[] _open = [];
    private int _next;
    private volatile bool _stopped;

    public ClientRuntime(IServiceProvider services, IOptions<ClientMessagingOptions> messaging, IOptions<ClusterOptions> cluster, GrainTypes grainTypes, ILoggerFactory loggers, TimeProvider time)
        : base(messaging.Value, time, loggers.CreateLogger("Orleans.Client"), grainTypes)
    {
        _provider = services.GetService<IGatewayListProvider>()
            ?? throw new InvalidOperationException("No IGatewayListProvider is registered: choose a clustering provider.");
        _clusterId = cluster.Value.ClusterId;
        _maxFrame = checked(messaging.Value.MaxMessageBodySize + messaging.Value.MaxMessageHeaderSize);
    }

    public override Guid ClientId => _clientId;

    public TimeSpan RefreshPeriod { get; } = TimeSpan.FromSeconds(1);

    /// <summary>Called when a silo has answered that there is no connection to.</summary>
    public Action? SiloFound { get; set; }

    public bool IsConnected => _open.Length > 0;

    /// <summary>Connects to the gateways that are listed and not connected.</summary>
    /// <exception cref="SiloUnavailableException">None can be reached.</exception>
    public async Task RefreshAsync(bool first)
    {
        if (first)
        {
            await _provider.InitializeGatewayListProvider();
        }
        foreach (Connection leaving in _gateways.Values)
        {
            // Calls that it waited for may have ended without an answer.
            CloseIfDone(leaving);
        }
        IList<Uri> uris = await _provider.GetGateways();
        Exception? failure = null;
        foreach (IPEndPoint endpoint in uris.Select(ToEndpoint).Where(endpoint => !_gateways.ContainsKey(endpoint)))
        {
            try
            {
                Connection connection = await Dialler.DialAsync(endpoint, new Hello(_clusterId, null, _clientId, null), _maxFrame, Time);
                _gateways[endpoint] = connection;
                UpdateOpen();
                _ = RunAsync(endpoint, connection);
            }
            catch (Exception error)
            {
                LogGatewayFailed(Logger, endpoint, error.Message);
                failure = error;
            }
        }
        if (_open.Length == 0)
        {
            throw new SiloUnavailableException($"Could not find any gateway among {uris.Count}: {failure?.Message ?? "the list is empty"}", failure);
        }
    }

    public async Task StopAsync(TimeSpan limit)
    {
        _stopped = true;
        await Task.WhenAll(_gateways.Values.Select(connection => connection.CloseGracefullyAsync(limit, Time)));
    }

    public override void Dispose()
    {
        _stopped = true;
        foreach (Connection connection in _gateways.Values)
        {
            connection.Dispose();
        }
        foreach (Request request in Pending.Find(_ => true))
        {
            request.TryFail(new SiloUnavailableException("The client has stopped."));
        }
        base.Dispose();
    }

    public override void Dispatch(Request request)
    {
        if (SystemTargets.TryGetClient(request.Target, out Guid client) && client == _clientId)
        {
            request.DetachArguments();
            Observers.Receive(request);
            return;
        }
        while (true)
        {
            Connection gateway = Choose(request.Target);
            request.TargetSilo = gateway.PeerSilo;
            // Who notes a leaving gateway looks for calls with it as target after that: one of the two sees the other.
            Interlocked.MemoryBarrier();
            if (!gateway.IsLeaving && SiloNetwork.TrySend(gateway, request, static (writer, request) => Envelope.WriteRequest(writer, request, request.Runtime.TimeLeft(request))))
            {
                return;
            }
            // Nothing of it has gone out: another gateway takes it, while there is one.
            UpdateOpen();
        }
    }

    public override void SendResponse(Request request, Exception? error)
    {
        if (Gateway() is { } gateway)
        {
            SiloNetwork.TrySend(gateway, (request, error), static (writer, state) =>
                Envelope.WriteResponse(writer, state.request, state.request.OriginSilo, state.error));
        }
    }

    public override void SendCancel(Request request, ulong correlationId)
    {
        if (_gateways.Values.FirstOrDefault(connection => Equals(connection.PeerSilo, request.TargetSilo)) is { } gateway)
        {
            SiloNetwork.TrySend(gateway, (correlationId, request.Target), static (writer, state) =>
                Envelope.WriteCancel(writer, state.correlationId, state.Target, null, Guid.Empty));
        }
    }

    public void OnFrame(Connection connection, FrameType type, byte[] data, int offset, int count)
    {
        switch (type)
        {
            case FrameType.Request:
                if (RequestReader.Read(this, connection, data, offset, count, SendResponse) is { } request)
                {
                    Observers.Receive(request);
                }
                break;
            case FrameType.Response:
                OnResponse(connection, data, offset, count);
                break;
            case FrameType.Cancel:
                break; // observers' methods take no tokens
            case FrameType.Leaving:
                connection.IsLeaving = true;
                Interlocked.MemoryBarrier();
                UpdateOpen();
                CloseIfDone(connection);
                break;
            default:
                throw new InvalidDataException($"a frame of type {(byte)type} is not expected here");
        }
    }

    public void OnClosed(Connection connection, Exception? error)
    {
        LogGatewayLost(Logger, connection.Peer, error?.Message ?? "the other side closed it");
        foreach ((GrainId id, SiloAddress silo) in _places)
        {
            if (silo.Equals(connection.PeerSilo))
            {
                _places.TryRemove(KeyValuePair.Create(id, silo));
            }
        }
        foreach (Request request in Pending.Find(request => Equals(request.TargetSilo, connection.PeerSilo)))
        {
            request.TryFail(new SiloUnavailableException($"The target silo became unavailable for {request.Method} to {request.Target}: the connection to {connection.Peer} has broken."));
        }
    }

    private static IPEndPoint ToEndpoint(Uri uri) => new(IPAddress.Parse(uri.Host), uri.Port);

    private async Task RunAsync(IPEndPoint endpoint, Connection connection)
    {
        await connection.RunAsync(this);
        _gateways.TryRemove(KeyValuePair.Create(endpoint, connection));
        UpdateOpen();
    }

    private void UpdateOpen()
    {
        lock (_gateways)
        {
            _open = [.. _gateways.Values.Where(connection => !connection.IsLeaving && !connection.HasEnded)];
        }
    }

    // Not before its answers are here: the other side ends the connection with its last call.
    private void CloseIfDone(Connection connection)
    {
        if (connection is { IsLeaving: true, HasEnded: false } && Pending.Find(request => Equals(request.TargetSilo, connection.PeerSilo)).Count == 0)
        {
            _ = connection.CloseGracefullyAsync(ClientHost.CloseTimeout, Time);
        }
    }

    private Connection? Gateway()
    {
        Connection[] open = _open;
        return open.Length == 0 ? null : open[(uint)Interlocked.Increment(ref _next) % (uint)open.Length];
    }

    private Connection Choose(GrainId target)
    {
        if (_places.TryGetValue(target, out SiloAddress? silo))
        {
            foreach (Connection connection in _open)
            {
                if (silo.Equals(connection.PeerSilo))
                {
                    return connection;
                }
            }
        }
        return Gateway() ?? throw new SiloUnavailableException(_stopped ? "The client has stopped." : "The client is connected to no gateway.");
    }

    private void OnResponse(Connection connection, byte[] data, int offset, int count)
    {
        MessageReader reader = MessageReader.Rent(data, offset, count, this);
        try
        {
            ResponseHeader header = ResponseHeader.Read(reader);
            if (Pending.Remove(header.CorrelationId) is { } request)
            {
                Learn(request.Target, header.Responder ?? connection.PeerSilo);
                RequestReader.Complete(request, header.Status, reader);
                CloseIfDone(connection);
            }
        }
        finally
        {
            reader.Return();
        }
    }

    private void Learn(GrainId target, SiloAddress? responder)
    {
        if (responder is not null && GrainTypes.Find(target.Type)?.UsesDirectory == true && (!_places.TryGetValue(target, out SiloAddress? known) || !known.Equals(responder)))
        {
            if (_places.Count > 100_000)
            {
                _places.Clear();
            }
            _places[target] = responder;
            if (!_open.Any(connection => responder.Equals(connection.PeerSilo)))
            {
                SiloFound?.Invoke();
            }
        }
    }

    [LoggerMessage(EventId = 1801, Level = LogLevel.Information, Message = "The gateway {Endpoint} cannot be reached: {Reason}.")]
    private static partial void LogGatewayFailed(ILogger logger, IPEndPoint endpoint, string reason);

    [LoggerMessage(EventId = 1802, Level = LogLevel.Information, Message = "The connection to {Gateway} has ended: {Reason}.")]
    private static partial void LogGatewayLost(ILogger logger, string gateway, string reason);
}
