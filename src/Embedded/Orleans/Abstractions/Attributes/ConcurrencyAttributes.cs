using Orleans.Metadata;
using Orleans.Placement;
using Orleans.Runtime;
using Orleans.Runtime.Placement;

namespace Orleans.Concurrency;

/// <summary>The method may run while other calls of the same activation wait at an await.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class AlwaysInterleaveAttribute : Attribute
{
    /// <summary>Marks the method.</summary>
    public AlwaysInterleaveAttribute()
    {
    }
}

/// <summary>The caller does not wait for an answer; errors are lost.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class OneWayAttribute : Attribute
{
    /// <summary>Marks the method.</summary>
    public OneWayAttribute()
    {
    }
}

/// <summary>The method changes nothing: it may interleave with other read-only methods of the activation.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ReadOnlyAttribute : Attribute
{
    /// <summary>Marks the method.</summary>
    public ReadOnlyAttribute()
    {
    }
}

/// <summary>All calls of the grain may interleave at awaits.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class ReentrantAttribute : Attribute, IGrainPropertiesProviderAttribute
{
    /// <summary>Marks the grain class.</summary>
    public ReentrantAttribute()
    {
    }

    /// <summary>Writes what the attribute says into the grain type's properties.</summary>
    public void Populate(IServiceProvider services, Type grainClass, GrainType grainType, Dictionary<string, string> properties) =>
        properties[GrainPropertyNames.Reentrant] = "true";
}

/// <summary>Calls go to any of several activations on the silo of the caller; there is no single activation.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class StatelessWorkerAttribute : PlacementAttribute
{
    /// <summary>At most <paramref name="maxLocalWorkers"/> activations a silo.</summary>
    public StatelessWorkerAttribute(int maxLocalWorkers)
        : base(new StatelessWorkerPlacement(maxLocalWorkers))
    {
    }

    /// <summary>As many activations a silo as the machine has processors.</summary>
    public StatelessWorkerAttribute()
        : base(new StatelessWorkerPlacement(Environment.ProcessorCount))
    {
    }

    /// <inheritdoc/>
    public override void Populate(IServiceProvider services, Type grainClass, GrainType grainType, Dictionary<string, string> properties) =>
        base.Populate(services, grainClass, grainType, properties);
}
