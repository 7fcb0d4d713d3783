using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Orleans.Runtime.Membership;
using Orleans.Runtime.MembershipService.SiloMetadata;

namespace Orleans.Runtime.Silo;

/// <summary>What each active silo can host and its metadata, asked once a silo.</summary>
internal sealed partial class SiloInfoCache(SiloServices services, IMembershipView membership, SiloInfo own) : ISiloMetadataCache
{
    private static readonly TimeSpan AskTimeout = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<SiloAddress, Known> _known = new() { [services.Self] = new Known(own) };

    public SiloInfo Own => own;

    /// <summary>Whether an active silo has not been asked yet.</summary>
    public bool IsIncomplete => Missing().Any();

    public bool Hosts(SiloAddress silo, GrainType type) => _known.TryGetValue(silo, out Known? known) && known.GrainTypes.Contains(type);

    public SiloMetadata GetSiloMetadata(SiloAddress siloAddress) =>
        _known.TryGetValue(siloAddress, out Known? known) ? known.Metadata : SiloMetadata.Empty;

    public void Apply(ClusterMembershipSnapshot snapshot)
    {
        foreach (ClusterMember member in snapshot.Members.Values.Where(member => member.Status == SiloStatus.Dead))
        {
            _known.TryRemove(member.SiloAddress, out _);
        }
        _ = CompleteAsync();
    }

    /// <summary>Asks the active silos that have not been asked; one that does not answer is left out for now.</summary>
    public Task CompleteAsync() => Task.WhenAll(Missing().Select(AskAsync));

    private IEnumerable<SiloAddress> Missing() => membership.CurrentSnapshot.Members.Values
        .Where(member => member.Status == SiloStatus.Active && !_known.ContainsKey(member.SiloAddress)).Select(member => member.SiloAddress);

    private async Task AskAsync(SiloAddress silo)
    {
        try
        {
            SiloInfo info = await services.Runtime.References.Service<IMembershipPeer>(silo).GetInfo().AsTask().WaitAsync(AskTimeout, services.Time);
            _known.TryAdd(silo, new Known(info));
        }
        catch (Exception error) when (error is OrleansException or TimeoutException)
        {
            LogNoAnswer(services.Logger, silo, error.Message);
        }
    }

    [LoggerMessage(EventId = 1711, Level = LogLevel.Information, Message = "{Silo} did not say what it can host: {Reason}.")]
    private static partial void LogNoAnswer(ILogger logger, SiloAddress silo, string reason);

    private sealed class Known(SiloInfo info)
    {
        public HashSet<GrainType> GrainTypes { get; } = [.. info.GrainTypes.Select(GrainType.Create)];

        public SiloMetadata Metadata { get; } = new() { Metadata = info.Metadata.ToImmutableDictionary() };
    }
}

/// <summary>How many activations each silo has, as last heard.</summary>
internal sealed class LoadTable
{
    private readonly ConcurrentDictionary<SiloAddress, int> _loads = new();

    public int Of(SiloAddress silo) => _loads.GetValueOrDefault(silo);

    public void Add(SiloAddress silo) => _loads.AddOrUpdate(silo, 1, static (_, load) => load + 1);

    public void Set(SiloAddress silo, int load) => _loads[silo] = load;

    public void Remove(SiloAddress silo) => _loads.TryRemove(silo, out _);

    public ICollection<SiloAddress> Silos => _loads.Keys;
}
