namespace MmCluster.Tensors.Tests;

public abstract partial class DeviceTests
{
    [Fact]
    public void Norms_and_softmax_match_float64_at_every_length()
    {
        using var scope = new TensorScope();
        for (int n = 1; n <= Longest; n++)
        {
            Tensor x = Random([2, n], n);
            Tensor weight = Random([n], n + 1);
            Tensor bias = Random([n], n + 2);
            float[] w = weight.ToArray<float>();
            float[] b = bias.ToArray<float>();
            var layer = new List<double>();
            var rms = new List<double>();
            var softmax = new List<double>();
            var logarithm = new List<double>();
            for (int row = 0; row < 2; row++)
            {
                double[] v = [.. x.Slice(0, row, row + 1).ToArray<float>().Select(f => (double)f)];
                double mean = v.Average();
                double deviation = Math.Sqrt(v.Average(f => (f - mean) * (f - mean)) + 1e-5);
                double square = Math.Sqrt(v.Average(f => f * f) + 1e-6);
                double total = v.Sum(Math.Exp);
                layer.AddRange(v.Select((f, i) => ((f - mean) / deviation * w[i]) + b[i]));
                rms.AddRange(v.Select((f, i) => f / square * w[i]));
                softmax.AddRange(v.Select(f => Math.Exp(f) / total));
                logarithm.AddRange(v.Select(f => f - Math.Log(total)));
            }

            Reference.Close(x.LayerNorm(weight, bias), layer.ToArray(), 2e-6);
            Reference.Close(x.RmsNorm(weight), rms.ToArray());
            Reference.Close(x.Softmax(), softmax.ToArray());
            Reference.Close(x.LogSoftmax() + 1f, [.. logarithm.Select(f => f + 1)]);
            Tensor residual = Random([2, n], n + 3);
            Tensor sum = residual + x;
            Tensor normed = Ops.AddRmsNorm(x, residual, weight);
            Assert.Equal(sum.ToArray<float>(), residual.ToArray<float>());
            Assert.Equal(sum.RmsNorm(weight).ToArray<float>(), normed.ToArray<float>());
        }
    }

    [Fact]
    public void Rows_of_views_are_normalized_like_their_copies()
    {
        using var scope = new TensorScope();
        Tensor x = Random([3, 4, 40], 1);
        foreach (Tensor view in new[] { x.Slice(2, 8, 24), x.Transpose(0, 1), x.Transpose(0, 2), x.Slice(1, 1, 3), x.Select(1, 2) })
        {
            Assert.Equal(view.Clone().Softmax().ToArray<float>(), view.Softmax().ToArray<float>());
            Assert.Equal(view.Clone().LayerNorm(null).ToArray<float>(), view.LayerNorm(null).ToArray<float>());
        }

        Assert.Equal(x.Transpose(1, 2).Softmax().Transpose(1, 2).ToArray<float>(), x.Softmax(1).ToArray<float>());
    }

    [Fact]
    public void Softmax_of_large_and_masked_scores_is_finite()
    {
        using var scope = new TensorScope();
        float[] y = Of(1000f, float.NegativeInfinity, 1000f, -1000f).Softmax().ToArray<float>();
        Assert.Equal([0.5f, 0, 0.5f, 0], y);
    }

    [Fact]
    public void Reductions_take_any_axis()
    {
        using var scope = new TensorScope();
        Tensor x = Random([3, 5, 7], 1);
        float[] v = x.ToArray<float>();
        var sums = new double[21];
        var largest = new float[21];
        var at = new long[21];
        for (int i = 0; i < 3; i++)
        {
            for (int k = 0; k < 7; k++)
            {
                float[] line = [.. Enumerable.Range(0, 5).Select(j => v[(i * 35) + (j * 7) + k])];
                sums[(i * 7) + k] = line.Sum(f => (double)f);
                largest[(i * 7) + k] = line.Max();
                at[(i * 7) + k] = Array.IndexOf(line, line.Max());
            }
        }

        Reference.Close(x.Sum(1), sums, 1e-6);
        Reference.Close(x.Mean(1), [.. sums.Select(s => s / 5)], 1e-6);
        Assert.Equal(largest, x.Max(1).ToArray<float>());
        Assert.Equal(at, x.Argmax(1).ToArray<long>());
        Assert.Equal(new Shape(3, 1, 7), x.Max(1, keepDim: true).Shape);
        Assert.Throws<ArgumentException>(() => Zeros([2, 0]).Max(1));
        Assert.Equal([0f, 0], Zeros([2, 0]).Sum(1).ToArray<float>());
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(50, 7)]
    [InlineData(1000, 100)]
    [InlineData(1000, 300)]
    [InlineData(300, 300)]
    public void Top_k_falls_and_prefers_the_first_of_equals(int n, int k)
    {
        using var scope = new TensorScope();
        float[] values = [.. Reference.Values(n, n).Select(v => MathF.Round(v * 20))];
        int[] order = [.. Enumerable.Range(0, n).OrderByDescending(i => values[i]).ThenBy(i => i).Take(k)];
        (Tensor top, Tensor indices) = From(values, [n]).TopK(k);
        Assert.Equal(order.Select(i => (long)i), indices.ToArray<long>());
        Assert.Equal(order.Select(i => values[i]), top.ToArray<float>());
    }

    [Fact]
    public void Nan_is_the_largest()
    {
        using var scope = new TensorScope();
        Tensor x = Of(1f, float.NaN, 3, float.NaN);
        Assert.Equal(1, x.Argmax().Item<long>());
        Assert.Equal(float.NaN, x.Max(0).Item<float>());
        Assert.Equal([1L, 3, 2], x.TopK(3).Indices.ToArray<long>());
    }
}
