namespace MmCluster.Engine;

/// <summary>How an engine schedules; names and meaning follow vLLM's flags.</summary>
public sealed record EngineOptions
{
    /// <summary>Sequences computed in one step at most. Default 256; never more than the executor's slots.</summary>
    public int MaxNumSeqs { get; init; } = 256;

    /// <summary>Positions computed in one step at most. Default 2,048; never more than the executor takes, at least <see cref="MaxNumSeqs"/>.</summary>
    public int MaxNumBatchedTokens { get; init; } = 2048;

    /// <summary>Requests accepted but not finished at most, beyond which Submit says ResourceExhausted. Default 4,096.</summary>
    public int MaxQueue { get; init; } = 4096;

    /// <summary>Longest sequence, prompt and output together; null takes the model's.</summary>
    public int? MaxModelLength { get; init; }

    /// <summary>Whether the lower of two priorities runs first. Default Priority, which is first come first served while nobody sets one.</summary>
    public SchedulingPolicy SchedulingPolicy { get; init; } = SchedulingPolicy.Priority;

    /// <summary>Whether full KV blocks are found again by content. Default true.</summary>
    public bool EnablePrefixCaching { get; init; } = true;

    /// <summary>Whether tenants find each other's blocks, which lets one learn by timing what another asked. Default false.</summary>
    public bool SharePrefixesAcrossTenants { get; init; }

    /// <summary>The model's end-of-sequence ids.</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    /// <summary>Draft tokens a step by prompt lookup; 0, the default, is off.</summary>
    public int SpeculativeTokens { get; init; }

    /// <summary>Longest run of last tokens looked up for a draft. Default 4.</summary>
    public int PromptLookupMax { get; init; } = 4;

    /// <summary>Shortest run of last tokens looked up for a draft. Default 2.</summary>
    public int PromptLookupMin { get; init; } = 2;

    /// <summary>How often a request replays after failed steps before it ends with Unavailable. Default 3.</summary>
    public int MaxReplays { get; init; } = 3;

    /// <summary>Steps whose outputs wait for a reader before the engine pauses. Default 64.</summary>
    public int OutputBuffer { get; init; } = 64;

    /// <summary>Turns tokens into text and text constraints into tokens; null for a model without tokenizer, whose outputs have no text.</summary>
    public IVocabulary? Vocabulary { get; init; }

    /// <summary>Is told how long requests waited and steps took, or null.</summary>
    public IStageTimings? Timings { get; init; }
}

/// <summary>In which order waiting requests start.</summary>
public enum SchedulingPolicy
{
    /// <summary>Lower priority values first, then first come, first served; tenants in turn by tokens served.</summary>
    Priority,

    /// <summary>First come, first served; priorities are ignored; tenants in turn by tokens served.</summary>
    Fcfs,
}

/// <summary>What the engine asks of a tokenizer. Safe to call from any thread.</summary>
public interface IVocabulary
{
    /// <summary>Tokens it knows; ids at and above it have no text.</summary>
    int Count { get; }

    /// <summary>A decoder for one sequence's output.</summary>
    /// <param name="skipSpecialTokens">Whether special tokens give no text.</param>
    ITokenDecoder CreateDecoder(bool skipSpecialTokens);

    /// <summary>
    /// The bytes that <paramref name="token"/> adds to the text in the middle of an output; empty for special and unknown tokens.
    /// </summary>
    ReadOnlyMemory<byte> BytesOf(int token);
}

/// <summary>Decodes one sequence's tokens as they come. Not thread-safe.</summary>
public interface ITokenDecoder
{
    /// <summary>The text that <paramref name="token"/> completes: whole characters only, so it may be empty.</summary>
    string Push(int token);

    /// <summary>What is left at the end, with U+FFFD for an incomplete character.</summary>
    string Finish();
}
