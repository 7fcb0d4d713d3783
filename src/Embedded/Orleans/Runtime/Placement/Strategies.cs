using System.Globalization;
using Orleans.Metadata;

namespace Orleans.Runtime.Placement;

internal sealed class RandomPlacement : PlacementStrategy
{
    public static RandomPlacement Singleton { get; } = new();
}

internal sealed class PreferLocalPlacement : PlacementStrategy
{
    public static PreferLocalPlacement Singleton { get; } = new();
}

internal sealed class HashBasedPlacement : PlacementStrategy
{
    public static HashBasedPlacement Singleton { get; } = new();
}

internal sealed class ResourceOptimizedPlacement : PlacementStrategy
{
    public static ResourceOptimizedPlacement Singleton { get; } = new();
}

internal sealed class StatelessWorkerPlacement(int maxLocal) : PlacementStrategy
{
    public int MaxLocal { get; } = Math.Max(1, maxLocal);

    public override bool IsUsingGrainDirectory => false;

    public override void PopulateGrainProperties(IServiceProvider services, Type grainClass, GrainType grainType, Dictionary<string, string> properties)
    {
        base.PopulateGrainProperties(services, grainClass, grainType, properties);
        properties[GrainPropertyNames.MaxLocalWorkers] = MaxLocal.ToString(CultureInfo.InvariantCulture);
    }
}
