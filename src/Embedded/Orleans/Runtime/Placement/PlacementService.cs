using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Metadata;
using Orleans.Placement;
using Orleans.Runtime.Membership;
using Orleans.Runtime.Messaging;
using Orleans.Runtime.Silo;

namespace Orleans.Runtime.Placement;

/// <summary>Chooses silos for new activations: the active silos that have the class, the grain's filters, then its director.</summary>
internal sealed class PlacementService(SiloServices services, IMembershipView membership, SiloInfoCache infos) : IPlacementContext
{
    private readonly ConcurrentDictionary<Type, IPlacementDirector> _directors = new();
    private readonly ConcurrentDictionary<Type, IPlacementFilterDirector> _filterDirectors = new();
    private readonly ConcurrentDictionary<GrainType, PlacementStrategy> _strategies = new();
    private readonly ConcurrentDictionary<GrainType, PlacementFilterStrategy[]> _filters = new();

    public SiloAddress LocalSilo => services.Self;

    public SiloStatus LocalSiloStatus => membership.CurrentSnapshot.GetSiloStatus(services.Self);

    public SiloAddress[] GetCompatibleSilos(PlacementTarget target)
    {
        GrainType type = target.GrainIdentity.Type;
        IEnumerable<SiloAddress> silos = membership.CurrentSnapshot.Members.Values
            .Where(member => member.Status == SiloStatus.Active && infos.Hosts(member.SiloAddress, type))
            .Select(member => member.SiloAddress).Order();
        foreach (PlacementFilterStrategy filter in _filters.GetOrAdd(type, FiltersOf))
        {
            silos = FilterDirector(filter).Filter(filter, target, silos);
        }
        SiloAddress[] compatible = [.. silos];
        return compatible.Length > 0 ? compatible
            : throw new OrleansException($"No active silo is compatible with grain {target.GrainIdentity}: none has the class, or its filters leave none.");
    }

    public async Task<SiloAddress> PlaceAsync(Request request)
    {
        PlacementStrategy strategy = _strategies.GetOrAdd(request.Target.Type, StrategyOf);
        PlacementTarget target = new(request.Target, request.Context, new GrainInterfaceType(request.Method.InterfaceName), 0);
        if (infos.IsIncomplete)
        {
            await infos.CompleteAsync();
        }
        return await Director(strategy).OnAddActivation(strategy, target, this);
    }

    private PlacementStrategy StrategyOf(GrainType type)
    {
        if (services.GrainTypes.Find(type)?.Properties is not { } properties
            || !properties.Values.TryGetValue(GrainPropertyNames.PlacementStrategy, out string? name))
        {
            return ResourceOptimizedPlacement.Singleton;
        }
        PlacementStrategy strategy = services.Provider.GetKeyedService<PlacementStrategy>(name)
            ?? throw new OrleansException($"No placement strategy {name} is registered for grains of type '{type}': call AddPlacementDirector.");
        strategy.Initialize(properties);
        return strategy;
    }

    private PlacementFilterStrategy[] FiltersOf(GrainType type)
    {
        if (services.GrainTypes.Find(type)?.Properties is not { } properties
            || !properties.Values.TryGetValue(GrainPropertyNames.PlacementFilter, out string? names))
        {
            return [];
        }
        PlacementFilterStrategy[] filters = [.. names.Split(',').Select(name => services.Provider.GetKeyedService<PlacementFilterStrategy>(name)
            ?? throw new OrleansException($"No placement filter {name} is registered for grains of type '{type}': call AddPlacementFilter."))];
        foreach (PlacementFilterStrategy filter in filters)
        {
            filter.Initialize(properties);
        }
        return filters.DistinctBy(filter => filter.Order).Count() == filters.Length ? [.. filters.OrderBy(filter => filter.Order)]
            : throw new OrleansException($"The placement filters of grains of type '{type}' must have different orders.");
    }

    private IPlacementDirector Director(PlacementStrategy strategy) => _directors.GetOrAdd(strategy.GetType(), static (type, services) =>
        services.Provider.GetKeyedService<IPlacementDirector>(type)
        ?? throw new OrleansException($"No placement director is registered for {type}: call AddPlacementDirector."), services);

    private IPlacementFilterDirector FilterDirector(PlacementFilterStrategy filter) => _filterDirectors.GetOrAdd(filter.GetType(), static (type, services) =>
        services.Provider.GetKeyedService<IPlacementFilterDirector>(type)
        ?? throw new OrleansException($"No placement filter director is registered for {type}: call AddPlacementFilter."), services);
}
