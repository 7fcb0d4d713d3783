using System.Collections.Concurrent;
using Orleans.Runtime.Membership;

namespace Orleans.Runtime.Silo;

/// <summary>Which silo a client is connected to, asked of all silos when it is not known.</summary>
internal sealed class ClientLocator(SiloServices services, IMembershipView membership)
{
    private static readonly TimeSpan AskTimeout = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<Guid, SiloAddress> _gateways = new();

    public async Task<SiloAddress?> FindAsync(Guid client)
    {
        SiloAddress[] silos = [.. membership.CurrentSnapshot.Members.Values
            .Where(member => member.Status is SiloStatus.Active or SiloStatus.ShuttingDown && !member.SiloAddress.Equals(services.Self))
            .Select(member => member.SiloAddress)];
        if (_gateways.TryGetValue(client, out SiloAddress? known) && silos.Contains(known) && await HasClientAsync(known, client))
        {
            return known;
        }
        bool[] answers = await Task.WhenAll(silos.Select(silo => HasClientAsync(silo, client)));
        int index = Array.IndexOf(answers, true);
        if (index < 0)
        {
            _gateways.TryRemove(client, out _);
            return null;
        }
        return _gateways[client] = silos[index];
    }

    private async Task<bool> HasClientAsync(SiloAddress silo, Guid client)
    {
        try
        {
            return await services.Runtime.References.Service<IMembershipPeer>(silo).HasClient(client).AsTask().WaitAsync(AskTimeout, services.Time);
        }
        catch (Exception error) when (error is OrleansException or TimeoutException)
        {
            return false;
        }
    }
}
