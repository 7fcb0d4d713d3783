using System.Numerics;

namespace MmCluster.Engine.Sampling;

/// <summary>
/// Weights of tokens as whole numbers: e^((logit - max) / temperature) times 2^40, cut. Sums of whole numbers are the same in any order, and the exponential is
/// spelled out in operations that IEEE 754 rounds alike everywhere (after Cephes' expf), so that a processor and a GPU draw the same token from the
/// same logits. sampling.cu has the same lines.
/// </summary>
internal static class TokenWeights
{
    /// <summary>The best token's weight.</summary>
    public const long One = 1L << Bits;

    private const int Bits = 40;
    private const float Least = -28; // below it the weight is 0
    private const float Log2E = 1.44269504f;
    private const float Ln2High = 0.693359375f;
    private const float Ln2Low = -2.12194440e-4f;

    private static ReadOnlySpan<float> Polynomial =>
        [1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f];

    /// <summary>One token's weight.</summary>
    public static long Of(float logit, float max, float temperature)
    {
        float x = (logit - max) / temperature;
        if (!(x >= Least))
        {
            return 0;
        }
        float n = MathF.Round(x * Log2E);
        float r = MathF.FusedMultiplyAdd(n, -Ln2Low, MathF.FusedMultiplyAdd(n, -Ln2High, x));
        float p = Polynomial[0];
        foreach (float coefficient in Polynomial[1..])
        {
            p = MathF.FusedMultiplyAdd(p, r, coefficient);
        }
        p = MathF.FusedMultiplyAdd(p, r * r, r) + 1;
        return (long)(p * BitConverter.Int32BitsToSingle(((int)n + 127 + Bits) << 23));
    }

    /// <summary>All tokens' weights; gives their sum.</summary>
    public static long Fill(ReadOnlySpan<float> row, float max, float temperature, Span<long> weights)
    {
        Vector<long> total = default;
        int i = 0;
        for (; i + Vector<float>.Count <= row.Length; i += Vector<float>.Count)
        {
            Vector.Widen(Of(new Vector<float>(row[i..]), max, temperature), out Vector<double> low, out Vector<double> high);
            Vector<long> lower = Vector.ConvertToInt64Native(low);
            Vector<long> upper = Vector.ConvertToInt64Native(high);
            lower.CopyTo(weights[i..]);
            upper.CopyTo(weights[(i + Vector<long>.Count)..]);
            total += lower + upper;
        }
        long sum = Vector.Sum(total);
        for (; i < row.Length; i++)
        {
            sum += weights[i] = Of(row[i], max, temperature);
        }
        return sum;
    }

    // The weights before they are cut.
    private static Vector<float> Of(Vector<float> logits, float max, float temperature)
    {
        Vector<float> x = (logits - new Vector<float>(max)) / new Vector<float>(temperature);
        Vector<int> counts = Vector.GreaterThanOrEqual(x, new Vector<float>(Least));
        x = Vector.ConditionalSelect(counts, x, Vector<float>.Zero);
        Vector<float> n = Vector.Round(x * Log2E);
        Vector<float> r = Vector.FusedMultiplyAdd(n, new Vector<float>(-Ln2High), x);
        r = Vector.FusedMultiplyAdd(n, new Vector<float>(-Ln2Low), r);
        Vector<float> p = new(Polynomial[0]);
        foreach (float coefficient in Polynomial[1..])
        {
            p = Vector.FusedMultiplyAdd(p, r, new Vector<float>(coefficient));
        }
        p = Vector.FusedMultiplyAdd(p, r * r, r) + Vector<float>.One;
        Vector<float> power = Vector.AsVectorSingle(Vector.ShiftLeft(Vector.ConvertToInt32Native(n) + new Vector<int>(127 + Bits), 23));
        return Vector.ConditionalSelect(counts, p * power, Vector<float>.Zero);
    }
}
