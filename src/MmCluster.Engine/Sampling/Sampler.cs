using System.Numerics.Tensors;
using MmCluster.Models;

namespace MmCluster.Engine.Sampling;

/// <summary>
/// Draws tokens from rows of logits as vLLM and transformers do: mask, minimum length, bias and penalties change the logits, then temperature, top-k, top-p and
/// min-p choose who takes part. Greedy takes the lowest id of the best. Not thread-safe; allocates nothing once it has seen its largest row.
/// </summary>
internal sealed class Sampler(int vocabulary)
{
    private const int SumBlock = 256;

    private readonly float[] _row = new float[vocabulary];
    private readonly float[] _weights = new float[vocabulary];
    private readonly BestLogits _best = new();
    private readonly TokenLogprob[] _top = new TokenLogprob[Math.Min(vocabulary, RequestChecks.MaxLogprobs)];

    /// <summary>
    /// Draws the slot's next token from <paramref name="logits"/> [vocabulary], which stay as they are, adds it to the open entry of
    /// <paramref name="result"/> and to the slot's counts.
    /// </summary>
    /// <exception cref="MmException">Internal: the logits are not numbers, or nothing is allowed.</exception>
    public int Sample(ReadOnlySpan<float> logits, SlotSampling slot, ReadOnlySpan<uint> mask, StepResult result)
    {
        ReadOnlySpan<float> row = logits;
        if (slot.ChangesLogits || !mask.IsEmpty)
        {
            logits.CopyTo(_row);
            LogitRules.Apply(_row, slot, mask);
            row = _row;
        }
        int token = slot.Parameters.Temperature == 0 ? Greedy(row) : Draw(row, slot);
        slot.Accept(token);
        if (slot.Parameters.Logprobs is { } count)
        {
            AddLogprobs(logits, token, count, result);
        }
        else
        {
            result.Add(token);
        }
        return token;
    }

    private static int Greedy(ReadOnlySpan<float> row)
    {
        int best = TensorPrimitives.IndexOfMax(row);
        return float.IsFinite(row[best]) ? best : throw NoToken(row[best]);
    }

    private int Draw(ReadOnlySpan<float> row, SlotSampling slot)
    {
        SamplingParameters parameters = slot.Parameters;
        float max = TensorPrimitives.Max(row);
        if (!float.IsFinite(max))
        {
            throw NoToken(max);
        }
        double uniform = Philox.Uniform(parameters.Seed, slot.Choice, slot.OutputLength);
        bool all = (parameters.TopK == 0 || parameters.TopK >= row.Length) && parameters.TopP >= 1 && parameters.MinP == 0;
        return all ? DrawFromAll(row, max, parameters.Temperature, uniform) : DrawFromBest(row, max, parameters, uniform);
    }

    private int DrawFromAll(ReadOnlySpan<float> row, float max, float temperature, double uniform)
    {
        Span<float> weights = Weights(row, max, temperature);
        double total = 0;
        for (int start = 0; start < weights.Length; start += SumBlock)
        {
            total += TensorPrimitives.Sum<float>(weights[start..Math.Min(start + SumBlock, weights.Length)]);
        }
        double goal = uniform * total;
        int last = 0;
        for (int start = 0; start < weights.Length; start += SumBlock)
        {
            ReadOnlySpan<float> block = weights[start..Math.Min(start + SumBlock, weights.Length)];
            double sum = TensorPrimitives.Sum(block);
            if (goal >= sum && start + SumBlock < weights.Length)
            {
                goal -= sum;
                continue;
            }
            for (int i = 0; i < block.Length; i++)
            {
                last = block[i] > 0 ? start + i : last;
                goal -= block[i];
                if (goal < 0 && block[i] > 0)
                {
                    return last;
                }
            }
        }
        // Rounding may leave a crumb behind the last one.
        return last;
    }

    private int DrawFromBest(ReadOnlySpan<float> row, float max, SamplingParameters parameters, double uniform)
    {
        int kept = Keep(row, max, parameters);
        float temperature = parameters.Temperature;
        ReadOnlySpan<float> values = _best.Values;
        double total = 0;
        for (int i = 0; i < kept; i++)
        {
            total += Weight(values[i], max, temperature);
        }
        double goal = uniform * total;
        for (int i = 0; i < kept - 1; i++)
        {
            goal -= Weight(values[i], max, temperature);
            if (goal < 0)
            {
                return _best.Ids[i];
            }
        }
        return _best.Ids[kept - 1];
    }

    // Sorts the candidates into _best and says how many of them take part. Each rule keeps a prefix of that order, so the shortest counts.
    private int Keep(ReadOnlySpan<float> row, float max, SamplingParameters parameters)
    {
        float temperature = parameters.Temperature;
        bool limited = parameters.TopK > 0 && parameters.TopK < row.Length;
        double total = double.NaN;
        if (limited)
        {
            _best.Select(row, parameters.TopK);
            // Ties with the k-th best take part, as in the references.
            _best.SelectFrom(row, Math.Max(_best.Worst, float.MinValue));
        }
        else if (parameters.TopP < 1)
        {
            total = TensorPrimitives.Sum<float>(Weights(row, max, temperature));
            SelectMass(row, max, temperature, parameters.TopP * total);
        }
        else
        {
            _best.SelectFrom(row, max + (temperature * MathF.Log(parameters.MinP)));
        }
        _best.Sort();
        ReadOnlySpan<float> values = _best.Values;
        int kept = values.Length;
        if (parameters.TopP < 1)
        {
            if (limited)
            {
                total = 0;
                foreach (float value in values)
                {
                    total += Weight(value, max, temperature);
                }
            }
            kept = PrefixOfMass(values, max, temperature, parameters.TopP * total);
        }
        if (parameters.MinP > 0)
        {
            while (kept > 1 && Weight(values[kept - 1], max, temperature) < parameters.MinP)
            {
                kept--;
            }
        }
        return kept;
    }

    // Candidates for top-p without sorting the vocabulary: everything within a margin of the best that holds enough mass.
    private void SelectMass(ReadOnlySpan<float> row, float max, float temperature, double goal)
    {
        for (float margin = 4; ; margin *= 2)
        {
            float least = max - (margin * temperature);
            bool everything = margin > 200;
            _best.SelectFrom(row, everything ? float.MinValue : least);
            double mass = 0;
            foreach (float value in _best.Values)
            {
                mass += Weight(value, max, temperature);
            }
            if (mass >= goal || everything)
            {
                return;
            }
        }
    }

    private static int PrefixOfMass(ReadOnlySpan<float> values, float max, float temperature, double goal)
    {
        double mass = 0;
        for (int i = 0; i < values.Length; i++)
        {
            mass += Weight(values[i], max, temperature);
            if (mass >= goal)
            {
                return i + 1;
            }
        }
        return values.Length;
    }

    private Span<float> Weights(ReadOnlySpan<float> row, float max, float temperature)
    {
        Span<float> weights = _weights.AsSpan(0, row.Length);
        TensorPrimitives.Subtract(row, max, weights);
        TensorPrimitives.Divide(weights, temperature, weights);
        TensorPrimitives.Exp<float>(weights, weights);
        return weights;
    }

    private static float Weight(float value, float max, float temperature) => MathF.Exp((value - max) / temperature);

    private void AddLogprobs(ReadOnlySpan<float> logits, int token, int count, StepResult result)
    {
        float max = TensorPrimitives.Max(logits);
        float logSum = max + MathF.Log(TensorPrimitives.Sum<float>(Weights(logits, max, 1)));
        _best.Select(logits, count);
        _best.Sort();
        for (int i = 0; i < _best.Count; i++)
        {
            _top[i] = new TokenLogprob(_best.Ids[i], _best.Values[i] - logSum);
        }
        result.Add(token, logits[token] - logSum, _top.AsSpan(0, _best.Count));
    }

    private static MmException NoToken(float best) => new(
        MmErrorCode.Internal, float.IsNaN(best) ? "the logits hold NaN" : "no token can be drawn: all logits are infinite or masked");
}
