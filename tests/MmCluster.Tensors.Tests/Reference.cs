namespace MmCluster.Tensors.Tests;

/// <summary>Naive twins in float64, random inputs from a fixed seed, and the tolerances of all comparisons.</summary>
internal static class Reference
{
    /// <summary>Values in [-1, 1) that depend on the seed only.</summary>
    internal static float[] Values(int count, int seed = 1)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = (random.NextSingle() * 2) - 1;
        }

        return values;
    }

    internal static Tensor Random(Shape shape, int seed = 1) => Tensor.From(Values((int)shape.ElementCount, seed), shape);

    /// <summary>‖actual - expected‖ / ‖expected‖</summary>
    internal static double RelativeError(ReadOnlySpan<float> actual, ReadOnlySpan<double> expected)
    {
        Assert.Equal(expected.Length, actual.Length);
        double error = 0;
        double norm = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
            norm += expected[i] * expected[i];
        }

        return norm == 0 ? Math.Sqrt(error) : Math.Sqrt(error / norm);
    }

    internal static void Close(Tensor actual, ReadOnlySpan<double> expected, double tolerance = 1e-6)
    {
        double error = RelativeError(actual.ToArray<float>(), expected);
        Assert.True(error < tolerance, $"relative error {error:g3}, allowed {tolerance:g3}");
    }

    /// <summary>x [m, k] times w [n, k] transposed, plus bias.</summary>
    internal static double[] Linear(ReadOnlySpan<float> x, ReadOnlySpan<float> w, ReadOnlySpan<float> bias, int m, int n, int k)
    {
        var y = new double[m * n];
        for (int row = 0; row < m; row++)
        {
            for (int column = 0; column < n; column++)
            {
                double sum = bias.IsEmpty ? 0 : bias[column];
                for (int i = 0; i < k; i++)
                {
                    sum += (double)x[(row * k) + i] * w[(column * k) + i];
                }

                y[(row * n) + column] = sum;
            }
        }

        return y;
    }

    /// <summary>Attention of one query row over keys and values [length][d] that it sees; bias is added to the scores.</summary>
    internal static double[] Attend(ReadOnlySpan<float> q, float[][] keys, float[][] values, double scale, Func<int, double?> bias)
    {
        var scores = new double[keys.Length];
        double largest = double.NegativeInfinity;
        for (int j = 0; j < keys.Length; j++)
        {
            double dot = 0;
            for (int d = 0; d < q.Length; d++)
            {
                dot += (double)q[d] * keys[j][d];
            }

            scores[j] = bias(j) is { } b ? (dot * scale) + b : double.NegativeInfinity;
            largest = Math.Max(largest, scores[j]);
        }

        var y = new double[values.Length == 0 ? 0 : values[0].Length];
        double total = 0;
        for (int j = 0; j < keys.Length && largest > double.NegativeInfinity; j++)
        {
            double weight = Math.Exp(scores[j] - largest);
            total += weight;
            for (int d = 0; d < y.Length; d++)
            {
                y[d] += weight * values[j][d];
            }
        }

        for (int d = 0; d < y.Length && total > 0; d++)
        {
            y[d] /= total;
        }

        return y;
    }
}
