namespace MmCluster.Engine;

/// <summary>
/// What a step sampled: one entry a sampling chunk, in the plan's order, each with one token or, behind accepted drafts, several.
/// Reused from step to step; grows to the largest step seen and allocates nothing after that. Not thread-safe.
/// </summary>
public sealed class StepResult : Cpu.ISlotFailures
{
    private readonly List<SampledChunk> _chunks = [];
    private readonly List<SampledToken> _tokens = [];
    private readonly List<TokenLogprob> _alternatives = [];

    private readonly List<SlotFailure> _failures = [];

    /// <summary>The step whose result this is; null when the executor took the plan and has none yet.</summary>
    public long? Step { get; set; }

    /// <summary>Slots whose own input was at fault in this step; the step holds for all others.</summary>
    public IReadOnlyList<SlotFailure> Failures => _failures;

    /// <summary>One entry a sampling chunk.</summary>
    public IReadOnlyList<SampledChunk> Chunks => _chunks;

    /// <summary>Tokens of all chunks; <see cref="SampledChunk"/> points into it.</summary>
    public IReadOnlyList<SampledToken> Tokens => _tokens;

    /// <summary>Best alternatives of all tokens; <see cref="SampledToken"/> points into it.</summary>
    public IReadOnlyList<TokenLogprob> Alternatives => _alternatives;

    /// <summary>Empties it for the next step.</summary>
    public void Clear()
    {
        Step = null;
        _failures.Clear();
        _chunks.Clear();
        _tokens.Clear();
        _alternatives.Clear();
    }

    /// <summary>Becomes a copy of <paramref name="other"/>, as an executor that keeps results of a pipeline needs it.</summary>
    public void CopyFrom(StepResult other)
    {
        Clear();
        Step = other.Step;
        _failures.AddRange(other._failures);
        _chunks.AddRange(other._chunks);
        _tokens.AddRange(other._tokens);
        _alternatives.AddRange(other._alternatives);
    }

    /// <summary>Reports that <paramref name="slot"/> alone failed; its sampling chunk, if any, has an entry without tokens.</summary>
    public void Fail(int slot, Models.MmException error) => _failures.Add(new SlotFailure(slot, error));

    /// <summary>Opens the entry of the next sampling chunk.</summary>
    public void BeginChunk(int slot) => _chunks.Add(new SampledChunk(slot, _tokens.Count, 0));

    /// <summary>Adds a token to the open entry, with the best alternatives in falling order where they were asked for.</summary>
    public void Add(int token, float? logprob = null, ReadOnlySpan<TokenLogprob> alternatives = default)
    {
        _tokens.Add(new SampledToken(token, logprob, _alternatives.Count, alternatives.Length));
        _alternatives.AddRange(alternatives);
        _chunks[^1] = _chunks[^1] with { TokenCount = _chunks[^1].TokenCount + 1 };
    }
}

/// <summary>What was wrong with one slot's input.</summary>
public readonly record struct SlotFailure(int Slot, Models.MmException Error);

/// <summary>The tokens sampled for one chunk.</summary>
public readonly record struct SampledChunk(int Slot, int TokenOffset, int TokenCount);

/// <summary>A sampled token; the logprob is log-softmax of the raw logits, before penalties and temperature, as OpenAI and vLLM report it.</summary>
public readonly record struct SampledToken(int Id, float? Logprob, int AlternativeOffset, int AlternativeCount);

/// <summary>A token and its log probability.</summary>
public readonly record struct TokenLogprob(int Id, float Logprob);
