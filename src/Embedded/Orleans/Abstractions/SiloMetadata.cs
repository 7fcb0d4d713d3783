using System.Collections.Immutable;

namespace Orleans.Runtime.MembershipService.SiloMetadata;

/// <summary>Names and values that a silo has said about itself.</summary>
[GenerateSerializer, Alias("Orleans.Runtime.MembershipService.SiloMetadata.SiloMetadata")]
public record SiloMetadata
{
    /// <summary>No metadata.</summary>
    public SiloMetadata()
    {
    }

    /// <summary>A silo that has said nothing.</summary>
    public static SiloMetadata Empty { get; } = new();

    /// <summary>The names and values.</summary>
    [Id(0)]
    public ImmutableDictionary<string, string> Metadata { get; internal init; } = ImmutableDictionary<string, string>.Empty;
}

/// <summary>The metadata of all silos.</summary>
public interface ISiloMetadataCache
{
    /// <summary>The metadata of a silo; empty where it is not known.</summary>
    SiloMetadata GetSiloMetadata(SiloAddress siloAddress);
}
