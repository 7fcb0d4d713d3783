namespace MmCluster.Engine.Sampling;

/// <summary>Sampling state of one slot: parameters, how many tokens came out, and the counts that penalties need.</summary>
internal sealed class SlotSampling
{
    private readonly int[]? _outputCounts; // [vocabulary]
    private readonly ulong[]? _promptBits; // [vocabulary / 64]

    public SlotSampling(SamplingParameters parameters, int choice, ReadOnlyMemory<int> stopTokenIds, ReadOnlySpan<int> tokens, int promptLength, int vocabulary)
    {
        Parameters = parameters;
        Choice = choice;
        StopTokenIds = stopTokenIds;
        OutputLength = tokens.Length - promptLength;
        Bias = parameters.LogitBias is { Count: > 0 } bias ? [.. bias.Select(item => (item.Key, item.Value))] : [];
        if (HasPenalties)
        {
            _outputCounts = new int[vocabulary];
            _promptBits = new ulong[(vocabulary + 63) / 64];
            foreach (int token in tokens[..promptLength])
            {
                _promptBits[token / 64] |= 1UL << (token % 64);
            }
            foreach (int token in tokens[promptLength..])
            {
                _outputCounts[token]++;
            }
        }
    }

    public SamplingParameters Parameters { get; }

    public int Choice { get; }

    /// <summary>Tokens not to be drawn before MinTokens.</summary>
    public ReadOnlyMemory<int> StopTokenIds { get; }

    /// <summary>Output tokens so far: the position that the next one takes.</summary>
    public int OutputLength { get; private set; }

    public (int Token, float Bias)[] Bias { get; }

    public bool HasPenalties =>
        Parameters.RepetitionPenalty != 1 || Parameters.PresencePenalty != 0 || Parameters.FrequencyPenalty != 0;

    /// <summary>Whether logits are changed before the best is looked for.</summary>
    public bool ChangesLogits =>
        HasPenalties || Bias.Length > 0 || (OutputLength < Parameters.MinTokens && !StopTokenIds.IsEmpty);

    /// <summary>How often each token came out.</summary>
    public ReadOnlySpan<int> OutputCounts => _outputCounts;

    public bool InPrompt(int token) => (_promptBits![token / 64] >> (token % 64) & 1) != 0;

    /// <summary>Notes a token that came out.</summary>
    public void Accept(int token)
    {
        OutputLength++;
        if (_outputCounts is not null)
        {
            _outputCounts[token]++;
        }
    }
}
