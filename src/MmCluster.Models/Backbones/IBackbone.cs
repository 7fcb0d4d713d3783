using MmCluster.Tensors;

namespace MmCluster.Models.Backbones;

/// <summary>
/// The language model of a multimodal model, or a run of its layers: a function from rows of a ragged batch over paged KV to rows. It knows
/// nothing of scheduling, sampling or requests. A full pass is <see cref="Embed"/>, <see cref="Forward"/>, <see cref="Finish"/>,
/// <see cref="Logits"/>; a pipeline shard calls what its layers need.
/// </summary>
/// <remarks>
/// Not thread-safe: one caller. Every method allocates its result and temporaries in the caller's <see cref="TensorScope"/>; under a recycling
/// scope nothing is allocated on the managed heap once all batch shapes have been seen. On the CPU a row's result does not depend on which other rows are in the batch.
/// </remarks>
public interface IBackbone : IDisposable
{
    /// <summary>What an executor must know of the network. Constant.</summary>
    BackboneSpec Spec { get; }

    /// <summary>Looks up token embeddings: <paramref name="ids"/> [T] I32 to [T, <see cref="BackboneSpec.EmbeddingSize"/>]. First shard only.</summary>
    /// <remarks>Rows of media are overwritten with features by the caller, before <see cref="Forward"/>.</remarks>
    Tensor Embed(Tensor ids);

    /// <summary>
    /// Runs layers [<paramref name="firstLayer"/>, <paramref name="endLayer"/>) of those that this instance holds. What precedes layer 0 (position embeddings,
    /// an input projection) belongs to layer 0.
    /// </summary>
    /// <param name="hidden">[T, EmbeddingSize] for layer 0, else [T, HiddenSize]; not changed.</param>
    /// <param name="input">The batch and its KV.</param>
    /// <param name="firstLayer">First layer, counted over the whole network.</param>
    /// <param name="endLayer">One past the last layer.</param>
    /// <returns>[T, HiddenSize], before the final norm.</returns>
    Tensor Forward(Tensor hidden, BackboneStep input, int firstLayer, int endLayer);

    /// <summary>The final norm (and output projection where there is one): [R, HiddenSize] to [R, OutputSize]. Last shard only.</summary>
    Tensor Finish(Tensor hidden);

    /// <summary>The head: finished rows [R, OutputSize] to logits [R, VocabularySize] in F32. Last shard only.</summary>
    Tensor Logits(Tensor finished);
}

/// <summary>
/// A backbone whose decoder also attends to a memory that is computed once a sequence: an encoder's output (encoder-decoders) or media features
/// (gated cross-attention). The memory's keys and values lie in paged KV of their own, one <see cref="PagedKv"/> a cross layer, written by
/// <see cref="AppendCross"/>.
/// </summary>
public interface ICrossBackbone : IBackbone
{
    /// <summary>Shape of the memory's KV.</summary>
    CrossSpec Cross { get; }

    /// <summary>
    /// Runs the encoder over one sequence: [L, EmbeddingSize] (token embeddings, media features in their places) to the memory [L, HiddenSize].
    /// </summary>
    /// <exception cref="NotSupportedException">The memory comes from media, not from tokens.</exception>
    Tensor Encode(Tensor embeddings);

    /// <summary>
    /// Computes keys and values of <paramref name="memory"/> [L, memory width] for every cross layer held and appends them to
    /// <paramref name="cross"/> at the slots of <paramref name="batch"/> (one or more sequences; only SlotMapping is used).
    /// </summary>
    void AppendCross(Tensor memory, IReadOnlyList<PagedKv> cross, PagedBatch batch);
}

/// <summary>What one call of <see cref="IBackbone.Forward"/> works on. The executor keeps one and refills it every step.</summary>
public sealed class BackboneStep
{
    /// <summary>The ragged batch: T rows of S sequences.</summary>
    public required PagedBatch Batch { get; set; }

    /// <summary>Self-attention KV, one a layer that this instance holds, in order.</summary>
    public required IReadOnlyList<PagedKv> Kv { get; set; }

    /// <summary>
    /// The memory of an <see cref="ICrossBackbone"/>: QueryStarts as in <see cref="Batch"/>, SequenceLengths and BlockTables of each sequence's
    /// memory, and with cross-attention to media the rows that each token sees, [VisibleStarts, VisibleEnds). Null for decoder-only networks.
    /// </summary>
    public PagedBatch? CrossBatch { get; set; }

    /// <summary>Cross-attention KV, one a cross layer that this instance holds, in order. Empty for decoder-only networks.</summary>
    public IReadOnlyList<PagedKv> CrossKv { get; set; } = [];

    /// <summary>[T] I32, the expert of each row (0 text, 1 media) for networks with per-token experts by type; null elsewhere.</summary>
    public Tensor? TokenTypes { get; set; }
}
