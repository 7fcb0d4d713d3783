using MmCluster.Cluster.TensorLink;

namespace MmCluster.Cluster.Wire;

/// <summary>What a generator is asked for.</summary>
[GenerateSerializer, Immutable, Alias("mm.GenerateMessage")]
internal sealed class GenerateMessage
{
    /// <summary>The request: what leases are named by.</summary>
    [Id(0)]
    public required string Request { get; init; }

    /// <summary>Which of the request's items.</summary>
    [Id(1)]
    public required int Item { get; init; }

    /// <summary>The ids by which the language model asked.</summary>
    [Id(2)]
    public required int[] SignalTokens { get; init; }

    /// <summary>Its hidden states at those ids, or null.</summary>
    [Id(3)]
    public TensorRef? Hidden { get; init; }

    [Id(4)]
    public ulong Seed { get; init; }

    /// <summary>Where the gateway's process is; null from a release that does not say.</summary>
    [Id(5)]
    public LinkAddress? Origin { get; init; }

    /// <summary>Whether each step that is done is told.</summary>
    [Id(6)]
    public bool TellSteps { get; init; }
}

/// <summary>A generated file, or not yet.</summary>
/// <param name="Bytes">The file, U8, leased under the request's name; null while it is being made.</param>
/// <param name="ContentType">What it is, as image/png.</param>
[GenerateSerializer, Immutable, Alias("mm.GenerateReply")]
internal sealed record GenerateReply(TensorRef? Bytes, string ContentType)
{
    /// <summary>Denoising steps that are done; only while it is being made and its message asked for them.</summary>
    [Id(0)]
    public int Step { get; init; }

    /// <summary>Of so many; 0 where nothing is told.</summary>
    [Id(1)]
    public int Steps { get; init; }
}
