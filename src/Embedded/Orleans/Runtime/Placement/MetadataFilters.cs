using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Orleans.Metadata;
using Orleans.Placement;
using Orleans.Runtime.MembershipService.SiloMetadata;

namespace Orleans.Runtime.Placement.Filtering;

/// <summary>Leaves only silos whose metadata equal the placing silo's under all keys.</summary>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
[Experimental("ORLEANSEXP004")]
public class RequiredMatchSiloMetadataPlacementFilterAttribute : PlacementFilterAttribute
{
    /// <summary>Compares under <paramref name="metadataKeys"/>.</summary>
    public RequiredMatchSiloMetadataPlacementFilterAttribute(string[] metadataKeys, int order = 0)
        : base(new RequiredMatchSiloMetadataPlacementFilterStrategy(metadataKeys, order))
    {
    }
}

/// <summary>The strategy of <see cref="RequiredMatchSiloMetadataPlacementFilterAttribute"/>.</summary>
public class RequiredMatchSiloMetadataPlacementFilterStrategy : PlacementFilterStrategy
{
    /// <summary>Compares under <paramref name="metadataKeys"/>.</summary>
    public RequiredMatchSiloMetadataPlacementFilterStrategy(string[] metadataKeys, int order)
        : base(order) => MetadataKeys = metadataKeys;

    /// <summary>Compares nothing.</summary>
    public RequiredMatchSiloMetadataPlacementFilterStrategy()
        : this([], 0)
    {
    }

    /// <summary>The keys.</summary>
    public string[] MetadataKeys { get; private set; }

    /// <inheritdoc/>
    public override void AdditionalInitialize(GrainProperties properties) =>
        MetadataKeys = MetadataMatch.ReadKeys(GetPlacementFilterGrainProperty("metadata-keys", properties));

    /// <inheritdoc/>
    protected override IEnumerable<KeyValuePair<string, string>> GetAdditionalGrainProperties(
        IServiceProvider services, Type grainClass, GrainType grainType, IReadOnlyDictionary<string, string> existingProperties) =>
        [new("metadata-keys", MetadataMatch.WriteKeys(MetadataKeys))];
}

/// <summary>Prefers silos whose metadata equal the placing silo's: under all keys, or without the first, and so on.</summary>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = false)]
[Experimental("ORLEANSEXP004")]
public class PreferredMatchSiloMetadataPlacementFilterAttribute : PlacementFilterAttribute
{
    /// <summary>Compares under <paramref name="orderedMetadataKeys"/>, the least important first, until <paramref name="minCandidates"/> silos match.</summary>
    public PreferredMatchSiloMetadataPlacementFilterAttribute(string[] orderedMetadataKeys, int minCandidates = 2, int order = 0)
        : base(new PreferredMatchSiloMetadataPlacementFilterStrategy(orderedMetadataKeys, minCandidates, order))
    {
    }
}

/// <summary>The strategy of <see cref="PreferredMatchSiloMetadataPlacementFilterAttribute"/>.</summary>
public class PreferredMatchSiloMetadataPlacementFilterStrategy : PlacementFilterStrategy
{
    /// <summary>Compares under <paramref name="orderedMetadataKeys"/>, the least important first, until <paramref name="minCandidates"/> silos match.</summary>
    public PreferredMatchSiloMetadataPlacementFilterStrategy(string[] orderedMetadataKeys, int minCandidates, int order)
        : base(order)
    {
        OrderedMetadataKeys = orderedMetadataKeys;
        MinCandidates = minCandidates;
    }

    /// <summary>Compares nothing.</summary>
    public PreferredMatchSiloMetadataPlacementFilterStrategy()
        : this([], 2, 0)
    {
    }

    /// <summary>The keys, the least important first.</summary>
    public string[] OrderedMetadataKeys { get; set; }

    /// <summary>How many silos must match.</summary>
    public int MinCandidates { get; set; }

    /// <inheritdoc/>
    public override void AdditionalInitialize(GrainProperties properties)
    {
        OrderedMetadataKeys = MetadataMatch.ReadKeys(GetPlacementFilterGrainProperty("ordered-metadata-keys", properties));
        MinCandidates = int.TryParse(GetPlacementFilterGrainProperty("min-candidates", properties), CultureInfo.InvariantCulture, out int least) ? least
            : throw new ArgumentException("Invalid min-candidates property value.", nameof(properties));
    }

    /// <inheritdoc/>
    protected override IEnumerable<KeyValuePair<string, string>> GetAdditionalGrainProperties(
        IServiceProvider services, Type grainClass, GrainType grainType, IReadOnlyDictionary<string, string> existingProperties) =>
        [
            new("ordered-metadata-keys", MetadataMatch.WriteKeys(OrderedMetadataKeys)),
            new("min-candidates", MinCandidates.ToString(CultureInfo.InvariantCulture)),
        ];
}

internal sealed class RequiredMatchDirector(ILocalSiloDetails local, ISiloMetadataCache metadata) : IPlacementFilterDirector
{
    public IEnumerable<SiloAddress> Filter(PlacementFilterStrategy filterStrategy, PlacementTarget target, IEnumerable<SiloAddress> silos)
    {
        string[] keys = ((RequiredMatchSiloMetadataPlacementFilterStrategy)filterStrategy).MetadataKeys;
        SiloMetadata own = metadata.GetSiloMetadata(local.SiloAddress);
        return silos.Where(silo => MetadataMatch.IsEqual(own, metadata.GetSiloMetadata(silo), keys));
    }
}

internal sealed class PreferredMatchDirector(ILocalSiloDetails local, ISiloMetadataCache metadata) : IPlacementFilterDirector
{
    public IEnumerable<SiloAddress> Filter(PlacementFilterStrategy filterStrategy, PlacementTarget target, IEnumerable<SiloAddress> silos)
    {
        PreferredMatchSiloMetadataPlacementFilterStrategy strategy = (PreferredMatchSiloMetadataPlacementFilterStrategy)filterStrategy;
        SiloAddress[] all = [.. silos];
        SiloMetadata own = metadata.GetSiloMetadata(local.SiloAddress);
        for (int skipped = 0; skipped < strategy.OrderedMetadataKeys.Length; skipped++)
        {
            string[] keys = strategy.OrderedMetadataKeys[skipped..];
            SiloAddress[] matching = [.. all.Where(silo => MetadataMatch.IsEqual(own, metadata.GetSiloMetadata(silo), keys))];
            if (matching.Length >= strategy.MinCandidates)
            {
                return matching;
            }
        }
        return all;
    }
}

internal static class MetadataMatch
{
    public static string WriteKeys(string[] keys) => string.Join(',', keys);

    public static string[] ReadKeys(string? keys) => keys?.Split(',', StringSplitOptions.RemoveEmptyEntries)
        ?? throw new ArgumentException("The metadata keys are missing.", nameof(keys));

    public static bool IsEqual(SiloMetadata left, SiloMetadata right, string[] keys) => keys.All(key =>
        left.Metadata.TryGetValue(key, out string? mine) && right.Metadata.TryGetValue(key, out string? theirs) && mine == theirs);
}
