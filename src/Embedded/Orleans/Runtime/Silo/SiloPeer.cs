using Orleans.Runtime.Membership;
using Orleans.Runtime.Messaging;
using Orleans.Runtime.Net;

namespace Orleans.Runtime.Silo;

/// <summary>Answers what other silos ask about this one.</summary>
internal sealed class SiloPeer(SiloServices services, MembershipManager membership, SiloNetwork network, SiloInfoCache infos) : IMembershipPeer
{
    public ValueTask Ping() => default;

    public async ValueTask TableChanged(MembershipVersion version) => await membership.Refresh(version);

    public async ValueTask Leaving(SiloAddress silo)
    {
        services.Directory.Leave(silo);
        while (services.Directory.HasLeft(silo)
            && services.Runtime.Pending.Find(request => silo.Equals(request.TargetSilo) && request.Target.Type != SystemTargets.ServiceType).Count > 0)
        {
            await Task.Delay(PendingCalls.Tick, services.Time);
        }
    }

    public ValueTask<SiloInfo> GetInfo() => new(infos.Own);

    public ValueTask<bool> HasClient(Guid client) => new(network.HasClient(client) || services.Runtime.ClientId == client);

    public ValueTask<int> GetLoad() => new(services.Catalog.Count);
}
