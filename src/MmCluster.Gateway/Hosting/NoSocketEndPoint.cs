using System.Net;
using Microsoft.AspNetCore.Connections;

namespace MmCluster.Gateway.Hosting;

/// <summary>An endpoint that accepts nothing: its pipeline gets connections from another endpoint.</summary>
internal sealed class NoSocketEndPoint : EndPoint
{
    public const string Name = "no-socket";

    public override string ToString() => Name;
}

/// <summary>Binds <see cref="NoSocketEndPoint"/>s.</summary>
internal sealed class NoSocketListenerFactory : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    public bool CanBind(EndPoint endpoint) => endpoint is NoSocketEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult<IConnectionListener>(new Listener(endpoint));

    private sealed class Listener(EndPoint endpoint) : IConnectionListener
    {
        private readonly TaskCompletionSource<ConnectionContext?> _unbound = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public EndPoint EndPoint => endpoint;

        // No connection ends the accept loop.
        public ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) =>
            new(_unbound.Task.WaitAsync(cancellationToken));

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            _unbound.TrySetResult(null);
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync() => UnbindAsync();
    }
}
