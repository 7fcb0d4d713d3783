using System.Numerics;

namespace MmCluster.Engine.Sampling;

/// <summary>What changes a row of logits before a token is drawn, in vLLM's order: mask, minimum length, bias, penalties.</summary>
internal static class LogitRules
{
    public static void Apply(Span<float> logits, SlotSampling slot, ReadOnlySpan<uint> mask)
    {
        if (!mask.IsEmpty)
        {
            Mask(logits, mask);
        }
        if (slot.OutputLength < slot.Parameters.MinTokens)
        {
            foreach (int token in slot.StopTokenIds.Span)
            {
                logits[token] = float.NegativeInfinity;
            }
        }
        foreach ((int token, float bias) in slot.Bias)
        {
            logits[token] += bias;
        }
        if (slot.HasPenalties)
        {
            Penalize(logits, slot);
        }
    }

    private static void Mask(Span<float> logits, ReadOnlySpan<uint> mask)
    {
        for (int word = 0; word < mask.Length; word++)
        {
            uint forbidden = ~mask[word];
            int start = word * 32;
            if (forbidden == uint.MaxValue)
            {
                logits[start..Math.Min(start + 32, logits.Length)].Fill(float.NegativeInfinity);
                continue;
            }
            for (; forbidden != 0; forbidden &= forbidden - 1)
            {
                int token = start + BitOperations.TrailingZeroCount(forbidden);
                if (token >= logits.Length)
                {
                    break;
                }
                logits[token] = float.NegativeInfinity;
            }
        }
    }

    // Repetition looks at prompt and output, frequency and presence at the output alone.
    private static void Penalize(Span<float> logits, SlotSampling slot)
    {
        SamplingParameters parameters = slot.Parameters;
        ReadOnlySpan<int> counts = slot.OutputCounts;
        for (int token = 0; token < logits.Length; token++)
        {
            int count = counts[token];
            if (parameters.RepetitionPenalty != 1 && (count > 0 || slot.InPrompt(token)))
            {
                logits[token] = logits[token] > 0 ? logits[token] / parameters.RepetitionPenalty : logits[token] * parameters.RepetitionPenalty;
            }
            if (count > 0)
            {
                logits[token] -= (parameters.FrequencyPenalty * count) + parameters.PresencePenalty;
            }
        }
    }
}
