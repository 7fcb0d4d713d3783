namespace MmCluster.Engine;

/// <summary>How tokens are drawn and when generation stops; names, ranges and meaning are vLLM's SamplingParams.</summary>
public sealed record SamplingParameters
{
    /// <summary>0 is greedy. Range [0, 2].</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Keep the k best tokens; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keep the smallest set of best tokens whose probability reaches this. Range (0, 1].</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Drop tokens less likely than this share of the best one's probability. Range [0, 1].</summary>
    public float MinP { get; init; }

    /// <summary>Divides positive and multiplies negative logits of tokens in prompt or output (CTRL, arXiv 1909.05858). Above 0; 1 is off.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted once from the logits of tokens in the output. Range [-2, 2].</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted from the logits of tokens in the output, times their count. Range [-2, 2].</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Added to the logits of the given tokens. Range [-100, 100].</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Seeds Philox(seed, choice, output position); the caller draws one where the user gave none.</summary>
    public ulong Seed { get; init; }

    /// <summary>Independent outputs for the prompt.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>Output tokens at most; null means up to the model's length.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>No stop token before this many output tokens.</summary>
    public int MinTokens { get; init; }

    /// <summary>Whether the model's end-of-sequence tokens do not stop generation.</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Token ids that end generation besides the model's own.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    /// <summary>Texts that end generation; not part of the output unless <see cref="IncludeStop"/>.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Whether the stop text is part of the output.</summary>
    public bool IncludeStop { get; init; }

    /// <summary>Report the chosen token's logprob and this many best alternatives; null reports none.</summary>
    public int? Logprobs { get; init; }

    /// <summary>Whether special tokens are left out of the text.</summary>
    public bool SkipSpecialTokens { get; init; } = true;

    /// <summary>What the text must conform to, or null.</summary>
    public StructuredOutput? Structure { get; init; }
}

/// <summary>A constraint on the output text.</summary>
public abstract record StructuredOutput
{
    private StructuredOutput()
    {
    }

    /// <summary>Text that parses as JSON of this schema (JSON Schema as text).</summary>
    public sealed record JsonSchema(string Schema) : StructuredOutput;

    /// <summary>Text that matches this regular expression whole.</summary>
    public sealed record Regex(string Pattern) : StructuredOutput;
}
