using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Runtime.Messaging;
using Orleans.Serialization;

namespace Orleans.Runtime.Net;

/// <summary>A silo's connections: to silos and from silos, one a pair, and from clients.</summary>
internal sealed partial class SiloNetwork : IDisposable
{
    private readonly ConcurrentDictionary<SiloAddress, PeerChannel> _silos = new();
    private readonly ConcurrentDictionary<Guid, Connection> _clients = new();
    private readonly ConcurrentDictionary<SiloAddress, bool> _dead = new();
    private readonly string _clusterId;
    private readonly SiloAddress _self;
    private readonly int _maxFrame;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly IFrameHandler _handler;
    private readonly Listener _siloListener;
    private readonly Listener? _gateway;
    private volatile bool _stopped;

    public SiloNetwork(ClusterOptions cluster, EndpointOptions endpoints, MessagingOptions messaging, SiloAddress self, IFrameHandler handler, TimeProvider time, ILogger logger)
    {
        _clusterId = cluster.ClusterId;
        _self = self;
        _handler = handler;
        _time = time;
        _logger = logger;
        _maxFrame = checked(messaging.MaxMessageBodySize + messaging.MaxMessageHeaderSize);
        _siloListener = new Listener(endpoints.SiloListeningEndpoint ?? self.Endpoint, _maxFrame, self, CheckSilo, handler, OnSiloAccepted, time, logger);
        if (endpoints.GatewayPort != 0)
        {
            IPEndPoint gateway = endpoints.GatewayListeningEndpoint ?? new IPEndPoint(endpoints.AdvertisedIPAddress, endpoints.GatewayPort);
            _gateway = new Listener(gateway, _maxFrame, self, CheckClient, handler, OnClientAccepted, time, logger);
        }
    }

    /// <summary>Called when a connection to a silo has broken or cannot be made.</summary>
    public Action<SiloAddress>? SiloLost { get; set; }

    public int ClientCount => _clients.Count;

    public void Start()
    {
        _siloListener.Start();
        _gateway?.Start();
    }

    public bool HasClient(Guid client) => _clients.ContainsKey(client);

    /// <summary>Sends to another silo; <paramref name="request"/> is what fails if that cannot be.</summary>
    public void Send<TState>(SiloAddress silo, Request? request, TState state, Action<MessageWriter, TState> write)
    {
        if (_stopped || _dead.ContainsKey(silo))
        {
            throw new SiloUnavailableException(_stopped ? $"{_self} has stopped." : $"The target silo became unavailable: {silo} is dead.");
        }
        _silos.GetOrAdd(silo, static (silo, self) => new PeerChannel(silo, self.DialAsync, self.OnDialFailed), this).Send(request, state, write);
    }

    /// <summary>Sends to a client of this silo; false where it is not connected.</summary>
    public bool TrySendToClient<TState>(Guid client, TState state, Action<MessageWriter, TState> write) =>
        _clients.TryGetValue(client, out Connection? connection) && TrySend(connection, state, write);

    /// <summary>Sends on <paramref name="connection"/>; false where it has ended.</summary>
    public static bool TrySend<TState>(Connection connection, TState state, Action<MessageWriter, TState> write)
    {
        MessageWriter writer = MessageWriter.Rent();
        try
        {
            write(writer, state);
            return connection.TrySend(writer);
        }
        finally
        {
            writer.Return();
        }
    }

    /// <summary>Ends what leads to silos that are dead now.</summary>
    public void Apply(ClusterMembershipSnapshot snapshot)
    {
        foreach (ClusterMember member in snapshot.Members.Values.Where(member => member.Status == SiloStatus.Dead))
        {
            if (_dead.TryAdd(member.SiloAddress, true) && _silos.TryRemove(member.SiloAddress, out PeerChannel? channel))
            {
                channel.Current?.Dispose();
            }
        }
    }

    public void OnClosed(Connection connection, Exception? error)
    {
        if (connection.PeerSilo is { } silo)
        {
            LogClosed(_logger, silo, error?.Message ?? "the other side closed it");
            // Whoever greets as a silo gets a channel, so it must not outlive the connection.
            if (_silos.TryGetValue(silo, out PeerChannel? channel) && channel.OnClosed(connection))
            {
                _silos.TryRemove(KeyValuePair.Create(silo, channel));
            }
            SiloLost?.Invoke(silo);
        }
        else if (connection.PeerClient != Guid.Empty)
        {
            LogClosed(_logger, connection, error?.Message ?? "the other side closed it");
            _clients.TryRemove(KeyValuePair.Create(connection.PeerClient, connection));
        }
    }

    /// <summary>
    /// Has all clients use other gateways; completes when they have closed their connections, which each does once its calls through here are answered.
    /// </summary>
    /// <exception cref="TimeoutException">Some have not within <paramref name="limit"/>.</exception>
    public Task LetClientsGoAsync(TimeSpan limit, CancellationToken stop)
    {
        _gateway?.Dispose();
        Connection[] clients = [.. _clients.Values];
        foreach (Connection client in clients)
        {
            TrySend(client, FrameType.Leaving, static (writer, type) => Envelope.Start(writer, type));
        }
        return Task.WhenAll(clients.Select(client => client.Closed)).WaitAsync(limit, _time, stop);
    }

    /// <summary>Sends what waits, then closes all connections.</summary>
    public async Task StopAsync(TimeSpan limit)
    {
        _stopped = true;
        _siloListener.Dispose();
        _gateway?.Dispose();
        Connection[] open = [.. _silos.Values.Select(channel => channel.Current).OfType<Connection>(), .. _clients.Values];
        await Task.WhenAll(open.Select(connection => connection.CloseGracefullyAsync(limit, _time)));
    }

    public void Dispose()
    {
        _stopped = true;
        _siloListener.Dispose();
        _gateway?.Dispose();
        foreach (Connection connection in _silos.Values.Select(channel => channel.Current).OfType<Connection>().Concat(_clients.Values))
        {
            connection.Dispose();
        }
    }

    private string? CheckSilo(Hello hello) =>
        hello.ClusterId != _clusterId ? $"this is cluster '{_clusterId}', not '{hello.ClusterId}'"
        : hello.Silo is null ? "clients connect to the gateway's port"
        : hello.Expected is { } expected && !expected.Equals(_self) ? $"this is {_self}, not {expected}"
        : _dead.ContainsKey(hello.Silo) ? $"{hello.Silo} has been declared dead"
        : null;

    private string? CheckClient(Hello hello) =>
        hello.ClusterId != _clusterId ? $"this is cluster '{_clusterId}', not '{hello.ClusterId}'"
        : hello.Silo is not null || hello.Client == Guid.Empty ? "only clients connect to a gateway"
        : null;

    private void OnSiloAccepted(Connection connection) =>
        _silos.GetOrAdd(connection.PeerSilo!, static (silo, self) => new PeerChannel(silo, self.DialAsync, self.OnDialFailed), this).Offer(connection);

    private void OnClientAccepted(Connection connection) => _clients[connection.PeerClient] = connection;

    private async Task<Connection> DialAsync(SiloAddress silo)
    {
        Connection connection = await Dialler.DialAsync(silo.Endpoint, new Hello(_clusterId, _self, Guid.Empty, silo), _maxFrame, _time);
        _ = connection.RunAsync(_handler);
        return connection;
    }

    private void OnDialFailed(PeerChannel channel, Exception error)
    {
        LogDialFailed(_logger, channel.Silo, error.Message);
        SiloLost?.Invoke(channel.Silo);
    }

    [LoggerMessage(EventId = 1611, Level = LogLevel.Information, Message = "The connection to {Peer} has ended: {Reason}.")]
    private static partial void LogClosed(ILogger logger, object peer, string reason);

    [LoggerMessage(EventId = 1612, Level = LogLevel.Information, Message = "No connection to {Silo} could be made: {Reason}.")]
    private static partial void LogDialFailed(ILogger logger, SiloAddress silo, string reason);
}
