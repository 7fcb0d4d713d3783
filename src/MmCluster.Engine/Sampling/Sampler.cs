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
    private readonly float[] _exponentials = new float[vocabulary];
    private readonly long[] _weights = new long[vocabulary];
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
        ulong random = SampleRandom.Bits(parameters.Seed, slot.Choice, slot.OutputLength);
        bool all = (parameters.TopK == 0 || parameters.TopK >= row.Length) && parameters.TopP >= 1 && parameters.MinP == 0;
        return all ? DrawFromAll(row, max, parameters.Temperature, random) : DrawFromBest(row, max, parameters, random);
    }

    // The first token, by id, whose weight and those before it exceed the goal.
    private int DrawFromAll(ReadOnlySpan<float> row, float max, float temperature, ulong random)
    {
        long total = TokenWeights.Fill(row, max, temperature, _weights);
        long goal = (long)SampleRandom.Below(random, (ulong)total);
        ReadOnlySpan<long> weights = _weights.AsSpan(0, row.Length);
        int start = 0;
        for (; start + SumBlock < weights.Length; start += SumBlock)
        {
            long sum = TensorPrimitives.Sum(weights.Slice(start, SumBlock));
            if (goal < sum)
            {
                break;
            }
            goal -= sum;
        }
        while (goal >= weights[start])
        {
            goal -= weights[start++];
        }
        return start;
    }

    private int DrawFromBest(ReadOnlySpan<float> row, float max, SamplingParameters parameters, ulong random)
    {
        _best.KeepInIdOrder(Keep(row, max, parameters));
        float temperature = parameters.Temperature;
        ReadOnlySpan<float> values = _best.Values;
        long goal = (long)SampleRandom.Below(random, (ulong)Mass(values, max, temperature));
        int i = 0;
        for (long weight; goal >= (weight = TokenWeights.Of(values[i], max, temperature)); i++)
        {
            goal -= weight;
        }
        return _best.Ids[i];
    }

    // Sorts the candidates into _best and says how many of them take part. Each rule keeps a prefix of that order, so the shortest counts.
    private int Keep(ReadOnlySpan<float> row, float max, SamplingParameters parameters)
    {
        float temperature = parameters.Temperature;
        bool limited = parameters.TopK > 0 && parameters.TopK < row.Length;
        long total = 0;
        if (limited)
        {
            _best.Select(row, parameters.TopK);
            // Ties with the k-th best take part, as in the references.
            _best.SelectFrom(row, Math.Max(_best.Worst, float.MinValue));
            total = parameters.TopP < 1 ? Mass(_best.Values, max, temperature) : 0;
        }
        else if (parameters.TopP < 1)
        {
            total = TokenWeights.Fill(row, max, temperature, _weights);
            SelectMass(row, max, temperature, Goal(parameters.TopP, total));
        }
        else
        {
            // A little more than min-p admits: the weights decide.
            _best.SelectFrom(row, max + (temperature * (MathF.Log(parameters.MinP) - 0.01f)));
        }
        _best.Sort();
        ReadOnlySpan<float> values = _best.Values;
        int kept = parameters.TopP < 1 ? PrefixOfMass(values, max, temperature, Goal(parameters.TopP, total)) : values.Length;
        long least = LeastWeight(parameters);
        while (kept > 1 && TokenWeights.Of(values[kept - 1], max, temperature) < least)
        {
            kept--;
        }
        return kept;
    }

    /// <summary>The weight that a token must have under min-p.</summary>
    internal static long LeastWeight(SamplingParameters parameters) => (long)(parameters.MinP * (double)TokenWeights.One);

    private static long Goal(float topP, long total) => (long)Math.Ceiling(topP * (double)total);

    private static long Mass(ReadOnlySpan<float> values, float max, float temperature)
    {
        long mass = 0;
        foreach (float value in values)
        {
            mass += TokenWeights.Of(value, max, temperature);
        }
        return mass;
    }

    // Candidates for top-p without sorting the vocabulary: everything within a margin of the best that holds enough mass.
    private void SelectMass(ReadOnlySpan<float> row, float max, float temperature, long goal)
    {
        for (float margin = 4; ; margin *= 2)
        {
            bool everything = margin > 200;
            _best.SelectFrom(row, everything ? float.MinValue : max - (margin * temperature));
            if (everything || Mass(_best.Values, max, temperature) >= goal)
            {
                return;
            }
        }
    }

    private static int PrefixOfMass(ReadOnlySpan<float> values, float max, float temperature, long goal)
    {
        long mass = 0;
        for (int i = 0; i < values.Length; i++)
        {
            mass += TokenWeights.Of(values[i], max, temperature);
            if (mass >= goal)
            {
                return i + 1;
            }
        }
        return values.Length;
    }

    private void AddLogprobs(ReadOnlySpan<float> logits, int token, int count, StepResult result)
    {
        float max = TensorPrimitives.Max(logits);
        Span<float> exponentials = _exponentials.AsSpan(0, logits.Length);
        TensorPrimitives.Subtract(logits, max, exponentials);
        TensorPrimitives.Exp<float>(exponentials, exponentials);
        float logSum = max + MathF.Log(TensorPrimitives.Sum<float>(exponentials));
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
