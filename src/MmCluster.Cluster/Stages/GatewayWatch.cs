using System.Collections.Concurrent;
using MmCluster.Cluster.TensorLink;

namespace MmCluster.Cluster.Stages;

/// <summary>Tells a stage of the death of gateways that it works for, so that their work is freed before their leases end. Safe to call from any thread.</summary>
internal sealed class GatewayWatch(TensorLinkEndpoint link, Action<LinkAddress> gone)
{
    private readonly ConcurrentDictionary<Guid, bool> _watched = new();

    /// <summary>Watches a gateway from its first request on; null is one that does not say where it is.</summary>
    public void Watch(LinkAddress? gateway)
    {
        if (gateway is not null && _watched.TryAdd(gateway.Incarnation, true))
        {
            _ = TellAsync(gateway);
        }
    }

    private async Task TellAsync(LinkAddress gateway)
    {
        try
        {
            await link.GoneAsync(gateway);
            // From here on a request of it that was on its way is watched anew.
            _watched.TryRemove(gateway.Incarnation, out _);
            gone(gateway);
        }
        catch (OperationCanceledException)
        {
            // Its leases end, and its streams.
            _watched.TryRemove(gateway.Incarnation, out _);
        }
    }
}
