using Orleans.Runtime.Silo;

namespace Orleans.Runtime.Placement;

internal sealed class RandomPlacementDirector : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        SiloAddress[] silos = context.GetCompatibleSilos(target);
        return Task.FromResult(IPlacementDirector.GetPlacementHint(target.RequestContextData, silos) ?? silos[Random.Shared.Next(silos.Length)]);
    }
}

internal sealed class PreferLocalPlacementDirector : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        SiloAddress[] silos = context.GetCompatibleSilos(target);
        return Task.FromResult(IPlacementDirector.GetPlacementHint(target.RequestContextData, silos)
            ?? (context.LocalSiloStatus == SiloStatus.Active && silos.Contains(context.LocalSilo)
                ? context.LocalSilo : silos[Random.Shared.Next(silos.Length)]));
    }
}

internal sealed class HashBasedPlacementDirector : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        SiloAddress[] silos = [.. context.GetCompatibleSilos(target).Order()];
        return Task.FromResult(IPlacementDirector.GetPlacementHint(target.RequestContextData, silos)
            ?? silos[(int)(target.GrainIdentity.GetUniformHashCode() % (uint)silos.Length)]);
    }
}

/// <summary>The silo with the fewest activations as last heard, the local one on a tie; a choice counts at once.</summary>
internal sealed class ResourceOptimizedPlacementDirector(LoadTable loads) : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        SiloAddress[] silos = context.GetCompatibleSilos(target);
        SiloAddress chosen = IPlacementDirector.GetPlacementHint(target.RequestContextData, silos)
            ?? silos.OrderBy(loads.Of).ThenBy(silo => silo.Equals(context.LocalSilo) ? 0 : 1).First();
        loads.Add(chosen);
        return Task.FromResult(chosen);
    }
}
