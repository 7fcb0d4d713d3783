using Orleans.Placement;
using Orleans.Runtime.Placement;
using Orleans.Runtime.Placement.Filtering;

namespace MmCluster.Conformance.Grains;

public interface IPlacedGrain : IGrainWithStringKey
{
    Task<string> Where();
}

public abstract class PlacedGrain(ILocalSiloDetails silo) : Grain
{
    public Task<string> Where() => Task.FromResult(silo.SiloAddress.ToParsableString());
}

public interface IHintedGrain : IPlacedGrain
{
}

[HintPlacement]
public sealed class HintedGrain(ILocalSiloDetails silo) : PlacedGrain(silo), IHintedGrain
{
}

public sealed class HintPlacement : PlacementStrategy
{
}

public sealed class HintPlacementAttribute() : PlacementAttribute(new HintPlacement());

/// <summary>Obeys the hint and refuses without one.</summary>
public sealed class HintDirector : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context) =>
        Task.FromResult(IPlacementDirector.GetPlacementHint(target.RequestContextData, context.GetCompatibleSilos(target))
            ?? throw new RefusedException($"{target.GrainIdentity} is not placed", 9));
}

public interface IRandomGrain : IPlacedGrain
{
    /// <summary>A call that takes so long.</summary>
    Task Rest(TimeSpan time);
}

[RandomPlacement]
public sealed class RandomGrain(ILocalSiloDetails silo) : PlacedGrain(silo), IRandomGrain
{
    public Task Rest(TimeSpan time) => Task.Delay(time);
}

public interface ILocalGrain : IPlacedGrain
{
}

[PreferLocalPlacement]
public sealed class LocalGrain(ILocalSiloDetails silo) : PlacedGrain(silo), ILocalGrain
{
}

public interface IRoleGrain : IPlacedGrain
{
}

#pragma warning disable ORLEANSEXP004 // the originals' filters are marked experimental
[RequiredMatchSiloMetadataPlacementFilter(["mm.role"]), RandomPlacement]
public sealed class RoleGrain(ILocalSiloDetails silo) : PlacedGrain(silo), IRoleGrain
{
}
#pragma warning restore ORLEANSEXP004

public interface IAskGrain : IGrainWithStringKey
{
    /// <summary>Where a grain of the caller's own choosing is, asked from this silo.</summary>
    Task<string[]> AskRoles(int count);

    Task<string[]> AskLocals(int count);

    Task<string[]> AskPreferring(int count);

    Task<string> Where();
}

[HintPlacement]
public sealed class AskGrain(ILocalSiloDetails silo) : PlacedGrain(silo), IAskGrain
{
    public Task<string[]> AskRoles(int count) => Ask<IRoleGrain>(count);

    public Task<string[]> AskLocals(int count) => Ask<ILocalGrain>(count);

    public Task<string[]> AskPreferring(int count) => Ask<IPreferringGrain>(count);

    private Task<string[]> Ask<T>(int count)
        where T : IPlacedGrain
    {
        string key = this.GetPrimaryKeyString();
        return Task.WhenAll(Enumerable.Range(0, count).Select(i => GrainFactory.GetGrain<T>($"{key}-{i}").Where()));
    }
}
