namespace MmCluster.Tensors;

/// <summary>
/// A ragged batch of T tokens of S sequences over <see cref="PagedKv"/>, I32 and dense. The same batch serves all layers; its tensors may be filled
/// anew every step.
/// </summary>
public sealed class PagedBatch
{
    /// <summary>[S + 1] where each sequence's tokens begin among the T, rising from 0 to T.</summary>
    public required Tensor QueryStarts { get; init; }

    /// <summary>[S] length of each sequence with this step's tokens, which are its last ones.</summary>
    public required Tensor SequenceLengths { get; init; }

    /// <summary>[S, maxBlocks] blocks of each sequence in order; entries past its length are not read.</summary>
    public required Tensor BlockTables { get; init; }

    /// <summary>[T] where each token's key and value go: block * 16 + position in the block; negative: nowhere.</summary>
    public required Tensor SlotMapping { get; init; }

    /// <summary>[T] the row of the rope table for each token; its position, unless the model counts otherwise.</summary>
    public required Tensor Positions { get; init; }

    /// <summary>
    /// [T] or null: how many positions each token sees, from the first; its own position + 1 when null and attention is causal. For prefixes and
    /// pictures whose tokens see each other in both directions.
    /// </summary>
    public Tensor? VisibleEnds { get; init; }

    /// <summary>[T] or null: the first position that each token sees; 0 when null. For text that attends to one of several pictures.</summary>
    public Tensor? VisibleStarts { get; init; }

    /// <summary>
    /// The most tokens that any sequence has among the T, where whoever fills the batch knows it; 0: unknown. A GPU takes its faster way where it is 1
    /// and S = T.
    /// </summary>
    public int MaxQueries { get; set; }

    /// <summary>
    /// How many sequences in front have one token each, where whoever fills the batch knows it; 0: unknown. A GPU takes them the faster way even where prompts follow.
    /// </summary>
    public int LeadingSingles { get; init; }

    /// <summary>The same batch on a device. What it says must have been checked: on a GPU nobody reads it.</summary>
    public PagedBatch To(Device device) => new()
    {
        QueryStarts = QueryStarts.To(device),
        SequenceLengths = SequenceLengths.To(device),
        BlockTables = BlockTables.To(device),
        SlotMapping = SlotMapping.To(device),
        Positions = Positions.To(device),
        VisibleEnds = VisibleEnds?.To(device),
        VisibleStarts = VisibleStarts?.To(device),
        MaxQueries = MaxQueries,
        LeadingSingles = LeadingSingles,
    };

    /// <summary>The sequences in front with one token each, as a batch of their own.</summary>
    internal PagedBatch Singles() => new()
    {
        QueryStarts = QueryStarts.Slice(0, 0, LeadingSingles + 1),
        SequenceLengths = SequenceLengths.Slice(0, 0, LeadingSingles),
        BlockTables = BlockTables.Slice(0, 0, LeadingSingles),
        SlotMapping = SlotMapping.Slice(0, 0, LeadingSingles),
        Positions = Positions.Slice(0, 0, LeadingSingles),
        MaxQueries = 1,
    };

    /// <summary>The sequences behind those; <see cref="QueryStarts"/> still count from the whole batch's first token.</summary>
    internal PagedBatch BehindSingles() => new()
    {
        QueryStarts = QueryStarts.Slice(0, LeadingSingles),
        SequenceLengths = SequenceLengths.Slice(0, LeadingSingles),
        BlockTables = BlockTables.Slice(0, LeadingSingles),
        SlotMapping = SlotMapping.Slice(0, LeadingSingles),
        Positions = Positions.Slice(0, LeadingSingles),
        MaxQueries = MaxQueries,
    };
}

/// <summary>What paged attention is besides softmax(q kᵀ scale) v.</summary>
public readonly record struct AttentionOptions
{
    /// <summary>Causal, scaled by 1 / √(head dimension).</summary>
    public AttentionOptions()
    {
    }

    /// <summary>Factor of the scores; 1 / √(head dimension) when null.</summary>
    public float? Scale { get; init; }

    /// <summary>Whether a token sees positions up to its own only.</summary>
    public bool Causal { get; init; } = true;

    /// <summary>How many positions back a token sees, its own included; all when null.</summary>
    public int? Window { get; init; }

    /// <summary>Limit c of the scores: c tanh(score / c); none when null.</summary>
    public float? SoftCap { get; init; }

    /// <summary>F32 [heads] or null: adds slope * (position of the key - position of the query) (ALiBi).</summary>
    public Tensor? AlibiSlopes { get; init; }

    /// <summary>
    /// F32 [heads, n] or null: adds entry d of a head's row to the score of a key d positions before the query, the last entry for all further ones (T5).
    /// Paged attention only.
    /// </summary>
    public Tensor? DistanceBias { get; init; }
}
