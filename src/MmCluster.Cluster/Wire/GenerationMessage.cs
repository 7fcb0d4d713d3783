using MmCluster.Cluster.TensorLink;
using MmCluster.Engine;

namespace MmCluster.Cluster.Wire;

/// <summary>A request as a gateway submits it to a backbone. Each submission has a handle of its own, so that entries of an earlier one are told apart.</summary>
[GenerateSerializer, Immutable, Alias("mm.GenerationMessage")]
internal sealed class GenerationMessage
{
    /// <summary>The gateway's session.</summary>
    [Id(0)]
    public required string Gateway { get; init; }

    /// <summary>Unique within the session.</summary>
    [Id(1)]
    public required long Handle { get; init; }

    /// <summary>The client's request id, for logs and leases.</summary>
    [Id(2)]
    public required string Request { get; init; }

    [Id(3)]
    public required PromptPart[] Prompt { get; init; }

    [Id(4)]
    public int[]? DecoderPrompt { get; init; }

    [Id(5)]
    public required SamplingParameters Sampling { get; init; }

    [Id(6)]
    public string Tenant { get; init; } = "";

    [Id(7)]
    public string CacheSalt { get; init; } = "";

    [Id(8)]
    public int Priority { get; init; }

    /// <summary>Absolute, so that no stage adds time of its own.</summary>
    [Id(9)]
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>What clients have seen of each choice, for a replay; null for a first submission.</summary>
    [Id(10)]
    public int[][]? Emitted { get; init; }

    /// <summary>The gateway's span (W3C trace context), for those of the stages; null while nobody listens.</summary>
    [Id(11)]
    public string? Trace { get; init; }

    /// <summary>Where the gateway's process is; null from a release that does not say.</summary>
    [Id(12)]
    public LinkAddress? Origin { get; init; }
}

/// <summary>Token ids, or the place of a media item whose features are supplied later.</summary>
[GenerateSerializer, Immutable, Alias("mm.PromptPart")]
internal struct PromptPart
{
    [Id(0), Immutable]
    public int[]? Tokens;

    [Id(1)]
    public UInt128 MediaKey;

    [Id(2)]
    public int MediaLength;

    [Id(3)]
    public int Placeholder;

    [Id(4)]
    public bool Bidirectional;
}
