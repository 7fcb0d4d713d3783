using Orleans.Runtime.Messaging;
using Orleans.Serialization;

namespace Orleans.Runtime.Net;

/// <summary>The way to one silo: its connection, or what waits for one to be made.</summary>
internal sealed class PeerChannel(SiloAddress silo, Func<SiloAddress, Task<Connection>> connect, Action<PeerChannel, Exception> onFailed)
{
    private const int MaxBacklog = 100_000;

    private readonly Lock _lock = new();
    private readonly List<Action<Connection>> _backlog = [];
    private readonly List<Request> _waiting = [];
    private Connection? _connection;
    private bool _connecting;

    public SiloAddress Silo => silo;

    /// <summary>The connection, if there is one now.</summary>
    public Connection? Current => Volatile.Read(ref _connection);

    /// <summary>Takes a connection that the other side has made, unless there is one.</summary>
    public void Offer(Connection connection)
    {
        lock (_lock)
        {
            _connection ??= connection;
        }
        Flush(connection);
    }

    /// <summary>Forgets an ended connection; true where nothing keeps the channel any more.</summary>
    public bool OnClosed(Connection connection)
    {
        lock (_lock)
        {
            if (ReferenceEquals(_connection, connection))
            {
                _connection = null;
            }
            return _connection is null && !_connecting && _backlog.Count == 0;
        }
    }

    /// <summary>Sends now or once there is a connection; <paramref name="request"/> is what fails if there never is one.</summary>
    public void Send<TState>(Request? request, TState state, Action<MessageWriter, TState> write)
    {
        if (Current is { } connection)
        {
            Write(connection, request, state, write);
        }
        else
        {
            SendLater(request, state, write);
        }
    }

    // Apart from Send, as the closure is made where this begins.
    private void SendLater<TState>(Request? request, TState state, Action<MessageWriter, TState> write)
    {
        lock (_lock)
        {
            if (_connection is null)
            {
                if (_backlog.Count >= MaxBacklog)
                {
                    throw new OrleansMessageRejectionException($"{MaxBacklog} messages wait for a connection to {silo}; no more are taken.");
                }
                _backlog.Add(made => Write(made, request, state, write));
                if (request is not null)
                {
                    _waiting.Add(request);
                }
                if (!_connecting)
                {
                    _connecting = true;
                    _ = ConnectAsync();
                }
                return;
            }
        }
        Send(request, state, write);
    }

    private void Write<TState>(Connection connection, Request? request, TState state, Action<MessageWriter, TState> write)
    {
        MessageWriter writer = MessageWriter.Rent();
        try
        {
            write(writer, state);
            if (!connection.TrySend(writer))
            {
                request?.Reject(new SiloUnavailableException($"The connection to {silo} has ended."));
            }
        }
        catch (Exception error)
        {
            request?.Reject(error);
        }
        finally
        {
            writer.Return();
        }
    }

    private async Task ConnectAsync()
    {
        try
        {
            Connection connection = await connect(silo);
            lock (_lock)
            {
                _connection ??= connection;
                _connecting = false;
            }
            Flush(connection);
        }
        catch (Exception error)
        {
            Request[] failed;
            lock (_lock)
            {
                _connecting = false;
                if (_connection is not null)
                {
                    failed = [];
                }
                else
                {
                    failed = [.. _waiting];
                    _waiting.Clear();
                    _backlog.Clear();
                }
            }
            SiloUnavailableException unavailable = new($"{silo} cannot be reached: {error.Message}", error);
            foreach (Request request in failed)
            {
                request.Reject(unavailable);
            }
            onFailed(this, error);
        }
    }

    private void Flush(Connection connection)
    {
        Action<Connection>[] ready;
        lock (_lock)
        {
            ready = [.. _backlog];
            _backlog.Clear();
            _waiting.Clear();
        }
        foreach (Action<Connection> send in ready)
        {
            send(connection);
        }
    }
}
