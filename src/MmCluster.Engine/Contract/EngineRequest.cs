using MmCluster.Tensors;

namespace MmCluster.Engine;

/// <summary>One generation, as the gateway or the command line submits it.</summary>
public sealed class EngineRequest
{
    /// <summary>Unique among requests in flight.</summary>
    public required string Id { get; init; }

    /// <summary>Text and media in order. For an encoder-decoder this is the encoder's input.</summary>
    public required IReadOnlyList<PromptPiece> Prompt { get; init; }

    /// <summary>First tokens of an encoder-decoder's decoder; empty for decoder-only models.</summary>
    public ReadOnlyMemory<int> DecoderPrompt { get; init; }

    /// <summary>How tokens are drawn and when to stop.</summary>
    public required SamplingParameters Sampling { get; init; }

    /// <summary>LoRA adapter digest, or null.</summary>
    public string? Adapter { get; init; }

    /// <summary>Whose request this is, for fair queueing and as part of the prefix cache's salt.</summary>
    public string Tenant { get; init; } = "";

    /// <summary>Separates prefix-cache entries within a tenant.</summary>
    public string CacheSalt { get; init; } = "";

    /// <summary>Lower runs first; equal priorities are first come, first served.</summary>
    public int Priority { get; init; }

    /// <summary>When to give up with DeadlineExceeded, or null.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>For replay after a lost replica: what was already emitted, one list a choice; generation goes on behind it
    /// and sequence numbers count from it.</summary>
    public IReadOnlyList<ReadOnlyMemory<int>> Emitted { get; init; } = [];
}

/// <summary>A run of tokens or one media item of a prompt.</summary>
public abstract record PromptPiece
{
    private PromptPiece()
    {
    }

    /// <summary>Token ids.</summary>
    public sealed record Tokens(ReadOnlyMemory<int> Ids) : PromptPiece;

    /// <summary>Encoded media that takes <see cref="MediaInput.Length"/> positions.</summary>
    public sealed record Media(MediaInput Input) : PromptPiece;
}

/// <summary>One encoded media item.</summary>
/// <param name="Key">
/// 128 bits over tenant salt, content hash, encoder digest and preprocessing: equal keys mean equal features. Part of the prefix cache's key.
/// </param>
/// <param name="Length">Positions it takes in the prompt.</param>
/// <param name="PlaceholderToken">The token id that stands at those positions.</param>
/// <param name="Features">
/// [Length, hidden] (for cross-attention to media: [features, hidden]) on the backbone's device; may complete after Submit, the prompt before it is
/// prefilled meanwhile. A fault fails the request. The task's owner keeps the tensor alive until the request ends.
/// </param>
public sealed record MediaInput(UInt128 Key, int Length, int PlaceholderToken, Task<Tensor> Features)
{
    /// <summary>Whether its positions attend to each other in both directions, and so are computed in one chunk and cached whole or not at all.</summary>
    public bool Bidirectional { get; init; }
}
