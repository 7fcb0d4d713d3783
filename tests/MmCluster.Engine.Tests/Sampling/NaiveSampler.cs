namespace MmCluster.Engine.Tests.Sampling;

/// <summary>The sampler written plainly in double precision: full sort, no shortcuts.</summary>
internal static class NaiveSampler
{
    public static double[] Logits(float[] raw, SamplingParameters p, int[] prompt, int[] output, int[] stops, bool[]? allowed)
    {
        double[] logits = [.. raw.Select(value => (double)value)];
        for (int token = 0; token < logits.Length; token++)
        {
            if (allowed is not null && !allowed[token])
            {
                logits[token] = double.NegativeInfinity;
            }
            if (output.Length < p.MinTokens && stops.Contains(token))
            {
                logits[token] = double.NegativeInfinity;
            }
            logits[token] += p.LogitBias?.GetValueOrDefault(token) ?? 0;
            int count = output.Count(id => id == token);
            if (count > 0 || prompt.Contains(token))
            {
                logits[token] = logits[token] > 0 ? logits[token] / p.RepetitionPenalty : logits[token] * p.RepetitionPenalty;
            }
            logits[token] -= p.FrequencyPenalty * count;
            logits[token] -= count > 0 ? p.PresencePenalty : 0;
        }
        return logits;
    }

    /// <summary>Probabilities after temperature, top-k, top-p and min-p.</summary>
    public static double[] Probabilities(double[] logits, SamplingParameters p)
    {
        double max = logits.Max();
        double[] weights = [.. logits.Select(logit => Math.Exp((logit - max) / p.Temperature))];
        int[] order = [.. Enumerable.Range(0, weights.Length).OrderByDescending(i => logits[i]).ThenBy(i => i)];
        if (p.TopK > 0 && p.TopK < order.Length)
        {
            double worst = logits[order[p.TopK - 1]];
            order = [.. order.Where(i => logits[i] >= worst)];
        }
        double total = order.Sum(i => weights[i]);
        double before = 0;
        List<int> kept = [];
        foreach (int i in order)
        {
            if (p.TopP >= 1 || before < p.TopP * total)
            {
                kept.Add(i);
            }
            before += weights[i];
        }
        kept.RemoveAll(i => weights[i] < p.MinP);
        double sum = kept.Sum(i => weights[i]);
        double[] result = new double[weights.Length];
        foreach (int i in kept)
        {
            result[i] = weights[i] / sum;
        }
        return result;
    }
}
