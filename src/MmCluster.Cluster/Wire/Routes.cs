using MmCluster.Cluster.Deployment;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models.Cards;

namespace MmCluster.Cluster.Wire;

/// <summary>Where a model's requests may go. A gateway asks for the version after the one it has.</summary>
[GenerateSerializer, Immutable, Alias("mm.ModelRoutes")]
internal sealed record ModelRoutes
{
    [Id(0)]
    public required long Version { get; init; }

    [Id(1)]
    public required string Model { get; init; }

    /// <summary>The revision that takes requests, or empty while none does.</summary>
    [Id(2)]
    public required string Revision { get; init; }

    /// <summary>What that revision was deployed as; null while none takes requests.</summary>
    [Id(3)]
    public ModelDeployment? Deployment { get; init; }

    [Id(4)]
    public DateTimeOffset Created { get; init; }

    [Id(5)]
    public BackboneFacts? Facts { get; init; }

    [Id(6)]
    public BackboneRoute[] Backbones { get; init; } = [];

    [Id(7)]
    public EncoderRoute[] Encoders { get; init; } = [];

    [Id(8)]
    public string? Problem { get; init; }

    /// <summary>Whether the model was taken out: its watchers may stop.</summary>
    [Id(9)]
    public bool Removed { get; init; }

    [Id(10)]
    public GeneratorRoute[] Generators { get; init; } = [];

    /// <summary>Routes of further revisions, for requests that name them; null from a release that does not tell.</summary>
    [Id(11)]
    public ModelRoutes[]? Others { get; init; }

    /// <summary>The routes of a revision, or null where it takes no requests.</summary>
    public ModelRoutes? Of(string revision) => Revision == revision ? this : Others?.FirstOrDefault(other => other.Revision == revision);

    /// <summary>Whether nothing but the version differs.</summary>
    public bool HasSameRoutes(ModelRoutes other) =>
        (Others ?? []).Length == (other.Others ?? []).Length && (Others ?? []).Zip(other.Others ?? []).All(pair => pair.First.HasSameRoutes(pair.Second)) &&
        Revision == other.Revision && Equals(Deployment, other.Deployment) && Created == other.Created && Equals(Facts, other.Facts)
        && Generators.SequenceEqual(other.Generators) && Backbones.SequenceEqual(other.Backbones) && Encoders.SequenceEqual(other.Encoders) && Problem == other.Problem && Removed == other.Removed;
}

/// <summary>What callers must know of a backbone.</summary>
[GenerateSerializer, Immutable, Alias("mm.BackboneFacts")]
internal sealed record BackboneFacts(int MaxModelLength, int VocabularySize, DecoderKind Kind, int BlockSize);

/// <summary>A backbone that takes requests.</summary>
[GenerateSerializer, Immutable, Alias("mm.BackboneRoute")]
internal sealed record BackboneRoute(string Key, string Node);

/// <summary>An encoder that takes requests.</summary>
[GenerateSerializer, Immutable, Alias("mm.EncoderRoute")]
internal sealed record EncoderRoute(string Key, string Node, string Component, Modality Modality, string Digest, int Positions)
{
    /// <summary>Elements of a row that the backbone gets.</summary>
    [Id(0)]
    public int Width { get; init; }

    /// <summary>Rows of the pictures that the encoder takes.</summary>
    [Id(1)]
    public int InputHeight { get; init; }

    /// <summary>Pixels of such a row.</summary>
    [Id(2)]
    public int InputWidth { get; init; }

    /// <summary>What a sender of tensors must keep to.</summary>
    public MediaShape Shape => new(Positions, Width, InputHeight, InputWidth);
}

/// <summary>A generator that takes requests.</summary>
[GenerateSerializer, Immutable, Alias("mm.GeneratorRoute")]
internal sealed record GeneratorRoute(string Key, string Node, string Component);
