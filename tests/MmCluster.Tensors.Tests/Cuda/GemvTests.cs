using MmCluster.Tensors.Cuda;

namespace MmCluster.Tensors.Tests.Cuda;

/// <summary>Products of few tokens against float64, at sizes that leave tails everywhere.</summary>
[Collection(CudaTests.Name)]
public sealed class GemvTests
{
    private const double Eps = 1e-5;

    public static TheoryData<int, int, int, DType> Sizes => new()
    {
        { 1, 512, 4096, DType.BF16 },
        { 3, 48, 288, DType.BF16 },
        { 8, 9000, 64, DType.BF16 },
        { 5, 34, 32, DType.F16 },
        { 9, 502, 1024, DType.BF16 },
        { 16, 9000, 96, DType.F16 },
    };

    [Theory, MemberData(nameof(Sizes))]
    public void A_product_with_norm_bias_and_activation(int tokens, int outputs, int inputs, DType dtype)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(dtype);
        Tensor x = half.Random([tokens, inputs + 8]).Slice(1, 0, inputs);
        (Tensor w, Tensor gain, Tensor bias) = (half.Random([outputs, inputs], 2), half.Floats([inputs], 3), half.Floats([outputs], 4));
        Tensor y = half.Poisoned([tokens + 1, outputs]);
        var options = new GemvOptions { Gain = gain, Eps = (float)Eps, Bias = bias, Activation = Activation.Silu };
        Assert.True(Run(half, x, w, options, y.Slice(0, 0, tokens)));
        half.Close(y.Slice(0, 0, tokens), Products(x, w, gain, bias).Select(v => HalfTensors.Activate(Activation.Silu, v)).ToArray());
        Assert.All(HalfTensors.Values(y.Slice(0, tokens)), v => Assert.True(float.IsNaN(v)));
    }

    [Theory, MemberData(nameof(Sizes))]
    public void A_gate_multiplies_the_other_half(int tokens, int outputs, int inputs, DType dtype)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(dtype);
        (Tensor x, Tensor w) = (half.Random([tokens, inputs]), half.Random([outputs, inputs], 2));
        (Tensor gain, Tensor bias) = (half.Floats([inputs], 3), half.Floats([outputs], 4));
        Tensor y = half.Poisoned([tokens, outputs / 2]);
        Assert.True(Run(half, x, w, new GemvOptions { Gain = gain, Eps = (float)Eps, Bias = bias, Gated = true, Activation = Activation.GeluTanh }, y));
        double[] both = Products(x, w, gain, bias);
        half.Close(y, [.. Enumerable.Range(0, tokens * (outputs / 2)).Select(i =>
        {
            (int token, int column) = Math.DivRem(i, outputs / 2);
            int at = (token * outputs) + column;
            return HalfTensors.Activate(Activation.GeluTanh, both[at]) * both[at + (outputs / 2)];
        })]);
    }

    [Theory, MemberData(nameof(Sizes))]
    public void It_adds_to_a_residual_or_gives_floats(int tokens, int outputs, int inputs, DType dtype)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(dtype);
        (Tensor x, Tensor w, Tensor bias) = (half.Random([tokens, inputs]), half.Random([outputs, inputs], 2), half.Floats([outputs], 4));
        Tensor residual = half.Random([tokens, outputs], 5);
        float[] before = HalfTensors.Values(residual);
        double[] products = Products(x, w, null, bias);
        Assert.True(Run(half, x, w, new GemvOptions { Bias = bias, Adds = true }, residual));
        half.Close(residual, [.. products.Select((v, i) => v + before[i])]);

        Tensor logits = half.Poisoned([tokens, outputs], DType.F32);
        Assert.True(Run(half, x, w, new GemvOptions { Bias = bias }, logits));
        Reference.Close(logits.To(Device.Cpu), products, 1e-5);
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(DType.BF16);
        Assert.False(Run(half, half.Random([17, 64]), half.Random([8, 64]), default, half.Poisoned([17, 8])));
        Assert.False(Run(half, half.Random([1, 40]), half.Random([8, 40]), default, half.Poisoned([1, 8])));
        Assert.False(Run(half, half.Floats([1, 64]), half.Floats([8, 64]), default, half.Poisoned([1, 8], DType.F32)));
    }

    private static unsafe bool Run(HalfTensors half, Tensor x, Tensor w, in GemvOptions options, Tensor y) =>
        new Gemv(half.Context).TryRun(x, (nint)w.Data, w.Shape[0], options, y);

    private static double[] Products(Tensor x, Tensor w, Tensor? gain, Tensor bias)
    {
        float[][] rows = HalfTensors.Rows(HalfTensors.Values(x.Contiguous()), x.Shape[1]);
        float[][] weights = HalfTensors.Rows(HalfTensors.Values(w), w.Shape[1]);
        float[] biases = HalfTensors.Values(bias);
        float[]? gains = gain is null ? null : HalfTensors.Values(gain);
        return [.. rows.SelectMany(row =>
        {
            double[] normed = gains is null ? [.. row.Select(v => (double)v)] : HalfTensors.RmsNorm(row, gains, Eps);
            return weights.Select((column, n) => normed.Zip(column, (a, b) => a * b).Sum() + biases[n]);
        })];
    }
}
