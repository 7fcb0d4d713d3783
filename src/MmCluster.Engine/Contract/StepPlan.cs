using MmCluster.Tensors;

namespace MmCluster.Engine;

/// <summary>
/// What one step runs: deltas only, because slots keep their tokens, block tables and sampling state on the executor. The memory behind it
/// is the scheduler's and is valid until the step's result has been taken.
/// </summary>
/// <param name="Step">Rises by one.</param>
/// <param name="Ends">Slots to drop, before anything else.</param>
/// <param name="Starts">Slots to fill.</param>
/// <param name="Copies">KV blocks to copy behind the starts and before the chunks, in order (a shared block about to be written).</param>
/// <param name="Chunks">The rows to compute. At most one chunk a slot.</param>
/// <param name="Blocks">Block ids appended to slots' tables; chunks point into it.</param>
/// <param name="Drafts">Guessed tokens to verify (prompt lookup); chunks point into it.</param>
/// <param name="TokenMasks">Grammar bitmasks, ceil(vocabulary / 32) words each, bit set = allowed; chunks point into it.</param>
public readonly record struct StepPlan(
    long Step,
    ReadOnlyMemory<int> Ends,
    ReadOnlyMemory<SlotStart> Starts,
    ReadOnlyMemory<BlockCopy> Copies,
    ReadOnlyMemory<SlotChunk> Chunks,
    ReadOnlyMemory<int> Blocks,
    ReadOnlyMemory<int> Drafts,
    ReadOnlyMemory<uint> TokenMasks);

/// <summary>A sequence that enters a slot.</summary>
public sealed class SlotStart
{
    /// <summary>The slot.</summary>
    public required int Slot { get; init; }

    /// <summary>Prompt, with placeholder ids where media stand, then tokens already emitted.</summary>
    public required ReadOnlyMemory<int> Tokens { get; init; }

    /// <summary>How many of <see cref="Tokens"/> are prompt: penalties and sampling positions count from here.</summary>
    public required int PromptLength { get; init; }

    /// <summary>Media of the prompt by position; features are ready when a chunk that reaches them is planned.</summary>
    public IReadOnlyList<MediaSpan> Media { get; init; } = [];

    /// <summary>The encoder's input tokens of an encoder-decoder; its output and cross KV are computed with the slot's first chunk.</summary>
    public ReadOnlyMemory<int> EncoderTokens { get; init; }

    /// <summary>Media of the encoder's input by position.</summary>
    public IReadOnlyList<MediaSpan> EncoderMedia { get; init; } = [];

    /// <summary>
    /// A slot in use by the same request and with the same encoder input, whose encoder state may be shared; null when there is none.
    /// </summary>
    public int? EncoderOf { get; init; }

    /// <summary>How to sample.</summary>
    public required SamplingParameters Sampling { get; init; }

    /// <summary>Which of the request's choices this is; part of the random counter.</summary>
    public int Choice { get; init; }

    /// <summary>End-of-sequence ids that must not be drawn before MinTokens.</summary>
    public ReadOnlyMemory<int> StopTokenIds { get; init; }

    /// <summary>LoRA adapter digest, or null.</summary>
    public string? Adapter { get; init; }

    /// <summary>How many positions already have KV in the slot's first blocks (a cached prefix).</summary>
    public int CachedLength { get; init; }
}

/// <summary>Media features that stand at [Position, Position + Length) of a sequence.</summary>
/// <param name="Position">First position.</param>
/// <param name="Length">Positions taken.</param>
/// <param name="Features">[Length, hidden], or [features, hidden] for cross-attention.</param>
public readonly record struct MediaSpan(int Position, int Length, Task<Tensor> Features)
{
    /// <summary>Whether its positions attend to each other in both directions; a chunk then holds all of them or none.</summary>
    public bool Bidirectional { get; init; }
}

/// <summary>Positions [Start, Start + Count) of a slot, computed in this step.</summary>
/// <param name="Slot">The slot.</param>
/// <param name="Start">
/// First position; tokens come from the slot's history (prompt, then what was sampled, known to the caller or not), drafts follow behind it.
/// </param>
/// <param name="Count">Positions computed, drafts included.</param>
/// <param name="BlockOffset">Where this chunk's new block ids start in <see cref="StepPlan.Blocks"/>.</param>
/// <param name="BlockCount">How many block ids are appended to the slot's table.</param>
/// <param name="DraftOffset">Where its drafts start in <see cref="StepPlan.Drafts"/>.</param>
/// <param name="DraftCount">How many of the positions are drafts, the last ones.</param>
/// <param name="Sample">Whether the last position (and each draft's) is sampled.</param>
/// <param name="TokenMask">First word of its mask in <see cref="StepPlan.TokenMasks"/> (one mask a sampled position, in order), or null.</param>
public readonly record struct SlotChunk(
    int Slot, int Start, int Count, int BlockOffset, int BlockCount, int DraftOffset, int DraftCount, bool Sample, int? TokenMask);

/// <summary>Copy one KV block over another, all layers.</summary>
public readonly record struct BlockCopy(int Source, int Target);
