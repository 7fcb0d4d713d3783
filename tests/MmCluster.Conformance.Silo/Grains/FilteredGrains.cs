using Orleans.Metadata;
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

public interface ISetFilterGrain : IPlacedGrain
{
}

/// <summary>Its filter's settings go through the properties of the grain type.</summary>
[RoleFilter("cpu"), RandomPlacement]
public sealed class SetFilterGrain(ILocalSiloDetails silo) : PlacedGrain(silo), ISetFilterGrain
{
}

public interface ILostFilterGrain : IPlacedGrain
{
}

/// <summary>Its filter keeps its settings to itself, so that the director never sees them.</summary>
[ForgetfulFilter("cpu"), RandomPlacement]
public sealed class LostFilterGrain(ILocalSiloDetails silo) : PlacedGrain(silo), ILostFilterGrain
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

public sealed class RoleFilterStrategy(string role, int order) : PlacementFilterStrategy(order)
{
    public RoleFilterStrategy()
        : this("", 0)
    {
    }

    public string Role { get; private set; } = role;

    public override void AdditionalInitialize(GrainProperties properties) => Role = GetPlacementFilterGrainProperty("role", properties)!;

    protected override IEnumerable<KeyValuePair<string, string>> GetAdditionalGrainProperties(
        IServiceProvider services, Type grainClass, GrainType grainType, IReadOnlyDictionary<string, string> existingProperties) => [new("role", Role)];
}

public sealed class RoleFilterAttribute(string role) : PlacementFilterAttribute(new RoleFilterStrategy(role, 3));

public sealed class RoleFilterDirector(ISiloMetadataCache metadata) : IPlacementFilterDirector
{
    public IEnumerable<SiloAddress> Filter(PlacementFilterStrategy filterStrategy, PlacementTarget target, IEnumerable<SiloAddress> silos) =>
        silos.Where(silo => metadata.GetSiloMetadata(silo).Metadata.GetValueOrDefault("mm.role") == ((RoleFilterStrategy)filterStrategy).Role);
}

public sealed class ForgetfulFilterStrategy(string role, int order) : PlacementFilterStrategy(order)
{
    public ForgetfulFilterStrategy()
        : this("gpu", 4)
    {
    }

    public string Role { get; } = role;
}

public sealed class ForgetfulFilterAttribute(string role) : PlacementFilterAttribute(new ForgetfulFilterStrategy(role, 4));

public sealed class ForgetfulFilterDirector(ISiloMetadataCache metadata) : IPlacementFilterDirector
{
    public IEnumerable<SiloAddress> Filter(PlacementFilterStrategy filterStrategy, PlacementTarget target, IEnumerable<SiloAddress> silos) =>
        silos.Where(silo => metadata.GetSiloMetadata(silo).Metadata.GetValueOrDefault("mm.role") == ((ForgetfulFilterStrategy)filterStrategy).Role);
}

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
