using MmCluster.Cluster.TensorLink;

namespace MmCluster.Cluster.Wire;

/// <summary>A media item for an encoder. The bytes stay with the gateway until they are needed: features may be cached or under way.</summary>
[GenerateSerializer, Immutable, Alias("mm.EncodeMessage")]
internal sealed class EncodeMessage
{
    /// <summary>The submission: unique in the cluster, and what leases are named by.</summary>
    [Id(0)]
    public required string Request { get; init; }

    /// <summary>Which of the request's items.</summary>
    [Id(1)]
    public required int Item { get; init; }

    /// <summary>Whose projectors the features go through.</summary>
    [Id(2)]
    public required string Model { get; init; }

    /// <summary>Salt, content, encoder and preprocessing: equal keys mean equal features.</summary>
    [Id(3)]
    public required UInt128 Key { get; init; }

    /// <summary>The file's bytes, U8.</summary>
    [Id(4)]
    public required TensorRef Bytes { get; init; }

    /// <summary>What errors call the item.</summary>
    [Id(5)]
    public required string Name { get; init; }

    /// <summary>The model's revision.</summary>
    [Id(6)]
    public required string Revision { get; init; }

    /// <summary>The gateway's span (W3C trace context), for those of the stages; null while nobody listens.</summary>
    [Id(7)]
    public string? Trace { get; init; }
}

/// <summary>Features, or not yet.</summary>
/// <param name="Features">[positions, width], leased under the request's name; null while they are being made.</param>
[GenerateSerializer, Immutable, Alias("mm.EncodeReply")]
internal sealed record EncodeReply(TensorRef? Features);
