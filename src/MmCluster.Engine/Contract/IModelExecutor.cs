namespace MmCluster.Engine;

/// <summary>
/// Runs planned steps on a device: CPU, CUDA, several shards, or a simulation of them. It owns the weights, the KV blocks and
/// each slot's token history and sampling state; the scheduler owns which blocks belong to whom. Not thread-safe: one caller.
/// </summary>
public interface IModelExecutor : IDisposable
{
    /// <summary>What the scheduler must know: limits and the size of the KV cache. Constant over the executor's life.</summary>
    ExecutorDescription Describe();

    /// <summary>
    /// Takes one step and fills <paramref name="result"/> (cleared first) in the order of the plan's sampling chunks. Steps come with numbers
    /// that rise by one and run in that order. A pipeline of depth d may keep up to d - 1 plans in flight: the result is then an earlier step's, named by
    /// <see cref="StepResult.Step"/> (null while the pipeline fills), every call that finds d - 1 plans in flight gives one, and a plan without chunks
    /// has no result of its own and gives the oldest one at once; its memory is the caller's again when the call returns. An exception means that no plan in flight was committed: all slots are dropped and their requests replay.
    /// What is wrong with one slot alone (features of a wrong shape) is reported by <see cref="StepResult.Fail"/> instead.
    /// </summary>
    void Execute(in StepPlan plan, StepResult result);
}

/// <summary>What an executor can hold and do.</summary>
/// <param name="VocabularySize">Width of the logits.</param>
/// <param name="MaxModelLength">Longest sequence, prompt and output together, in tokens.</param>
/// <param name="BlockSize">Tokens a KV block.</param>
/// <param name="BlockCount">KV blocks, the smallest shard's.</param>
/// <param name="BlockBytes">Bytes a KV block takes over all layers of the largest shard.</param>
/// <param name="MaxSlots">Sequences that may hold a slot at once.</param>
/// <param name="MaxBatchedTokens">Tokens one step may carry.</param>
public sealed record ExecutorDescription(
    int VocabularySize,
    int MaxModelLength,
    int BlockSize,
    int BlockCount,
    long BlockBytes,
    int MaxSlots,
    int MaxBatchedTokens)
{
    /// <summary>Plans that may be in flight at once: 1 unless the executor is a pipeline.</summary>
    public int PipelineDepth { get; init; } = 1;

    /// <summary>
    /// Whether sampled tokens reach the next plan without the caller. Then a plan may hold the next position of a slot for which the plan that this very call
    /// answers samples: one position, not a draft, without mask, whose token the executor alone knows. The caller needs no pause between steps: with one
    /// device and a depth of 2, it commits step n and prepares step n + 2 while step n + 1 runs. One plan of the depth is for that, the others are stages.
    /// </summary>
    public bool RunsAhead { get; init; }

    /// <summary>How requests feed the network.</summary>
    public DecoderKind Kind { get; init; } = DecoderKind.CausalLm;

    /// <summary>Names the KV's type and layout; part of the prefix cache's key.</summary>
    public string KvFormat { get; init; } = "f32";
}

/// <summary>How requests feed a decoder; each is a matter of the request and the executor, never of the scheduler's loop.</summary>
public enum DecoderKind
{
    /// <summary>Decoder-only: media features take the place of placeholder tokens.</summary>
    CausalLm,

    /// <summary>The prompt attends to itself in both directions and is computed in one chunk.</summary>
    PrefixLm,

    /// <summary>The prompt runs through an encoder once; its cross-attention KV is kept for the slot's life.</summary>
    EncoderDecoder,

    /// <summary>Text attends to media features through gated cross-attention layers (Flamingo).</summary>
    CrossAttentionToMedia,
}
