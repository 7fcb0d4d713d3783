using Orleans.Placement;
using Orleans.Runtime.MembershipService.SiloMetadata;
using Orleans.Runtime.Placement;
using Orleans.Runtime.Placement.Filtering;

namespace MmCluster.Conformance.Grains;

public interface IFilteredGrain : IPlacedGrain
{
}

/// <summary>Leaves silos of one role to the director.</summary>
[CpuFilter, RandomPlacement]
public sealed class FilteredGrain(ILocalSiloDetails silo) : PlacedGrain(silo), IFilteredGrain
{
}

public interface IImpossibleGrain : IPlacedGrain
{
}

[CpuFilter, NobodyFilter, RandomPlacement]
public sealed class ImpossibleGrain(ILocalSiloDetails silo) : PlacedGrain(silo), IImpossibleGrain
{
}

public interface IPreferringGrain : IPlacedGrain
{
}

#pragma warning disable ORLEANSEXP004 // the originals' filters are marked experimental
[PreferredMatchSiloMetadataPlacementFilter(["mm.role"], minCandidates: 1), RandomPlacement]
public sealed class PreferringGrain(ILocalSiloDetails silo) : PlacedGrain(silo), IPreferringGrain
{
}
#pragma warning restore ORLEANSEXP004

public sealed class CpuFilterStrategy(int order) : PlacementFilterStrategy(order)
{
    public CpuFilterStrategy()
        : this(1)
    {
    }
}

public sealed class CpuFilterAttribute() : PlacementFilterAttribute(new CpuFilterStrategy());

public sealed class CpuFilterDirector(ISiloMetadataCache metadata) : IPlacementFilterDirector
{
    public IEnumerable<SiloAddress> Filter(PlacementFilterStrategy filterStrategy, PlacementTarget target, IEnumerable<SiloAddress> silos) =>
        silos.Where(silo => metadata.GetSiloMetadata(silo).Metadata.GetValueOrDefault("mm.role") == "cpu");
}

/// <summary>Comes after the other filter.</summary>
public sealed class NobodyFilterStrategy(int order) : PlacementFilterStrategy(order)
{
    public NobodyFilterStrategy()
        : this(2)
    {
    }
}

public sealed class NobodyFilterAttribute() : PlacementFilterAttribute(new NobodyFilterStrategy());

public sealed class NobodyFilterDirector : IPlacementFilterDirector
{
    public IEnumerable<SiloAddress> Filter(PlacementFilterStrategy filterStrategy, PlacementTarget target, IEnumerable<SiloAddress> silos) => [];
}
