using MmCluster.Tensors.Cuda;

namespace MmCluster.Tensors.Tests.Cuda;

/// <summary>Products of few tokens against float64, at sizes that leave tails everywhere.</summary>
[Collection(CudaTests.Name)]
public sealed class GemvTests
{
    private const double Eps = 1e-5;

    public static TheoryData<int, int, int, DType, DType> Sizes
    {
        get
        {
            var sizes = new TheoryData<int, int, int, DType, DType>
            {
                { 1, 512, 4096, DType.BF16, DType.BF16 },
                { 3, 48, 288, DType.BF16, DType.BF16 },
                { 8, 9000, 64, DType.BF16, DType.BF16 },
                { 5, 34, 32, DType.F16, DType.F16 },
                { 9, 502, 1024, DType.BF16, DType.BF16 },
                { 16, 9000, 96, DType.F16, DType.F16 },
            };
            foreach (DType narrow in new[] { DType.Q8_0, DType.Q4_0, DType.F8E4M3 })
            {
                sizes.Add(1, 512, 4096, DType.BF16, narrow);
                sizes.Add(3, 48, 296, DType.F16, narrow);
                sizes.Add(8, 9000, 64, DType.BF16, narrow);
                sizes.Add(5, 34, 8, DType.BF16, narrow);
                sizes.Add(16, 9000, 136, DType.F16, narrow);
                sizes.Add(17, 502, 2752, DType.BF16, narrow);
                sizes.Add(64, 9000, 200, DType.BF16, narrow);
            }

            return sizes;
        }
    }

    [Theory, MemberData(nameof(Sizes))]
    public void A_product_with_norm_bias_and_activation(int tokens, int outputs, int inputs, DType dtype, DType format)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(dtype);
        Tensor x = half.Random([tokens, inputs + 8]).Slice(1, 0, inputs);
        using LinearWeight w = Pack(half, outputs, inputs, format);
        (Tensor gain, Tensor bias) = (half.Floats([inputs], 3), half.Floats([outputs], 4));
        Tensor y = half.Poisoned([tokens + 1, outputs]);
        var options = new GemvOptions { Gain = gain, Eps = (float)Eps, Bias = bias, Activation = Activation.Silu };
        Assert.True(Run(half, x, w, options, y.Slice(0, 0, tokens)));
        half.Close(y.Slice(0, 0, tokens), Products(x, w, gain, bias).Select(v => HalfTensors.Activate(Activation.Silu, v)).ToArray());
        Assert.All(HalfTensors.Values(y.Slice(0, tokens)), v => Assert.True(float.IsNaN(v)));
    }

    [Theory, MemberData(nameof(Sizes))]
    public void A_gate_multiplies_the_other_half(int tokens, int outputs, int inputs, DType dtype, DType format)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(dtype);
        using LinearWeight w = Pack(half, outputs, inputs, format);
        (Tensor x, Tensor gain, Tensor bias) = (half.Random([tokens, inputs]), half.Floats([inputs], 3), half.Floats([outputs], 4));
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
    public void It_adds_to_a_residual_or_gives_floats(int tokens, int outputs, int inputs, DType dtype, DType format)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(dtype);
        using LinearWeight w = Pack(half, outputs, inputs, format);
        (Tensor x, Tensor bias) = (half.Random([tokens, inputs]), half.Floats([outputs], 4));
        Tensor residual = half.Random([tokens, outputs], 5);
        float[] before = HalfTensors.Values(residual);
        double[] products = Products(x, w, null, bias);
        Assert.True(Run(half, x, w, new GemvOptions { Bias = bias, Adds = true }, residual));
        half.Close(residual, [.. products.Select((v, i) => v + before[i])]);

        Tensor logits = half.Poisoned([tokens, outputs], DType.F32);
        Assert.True(Run(half, x, w, new GemvOptions { Bias = bias }, logits));
        Reference.Close(logits.To(Device.Cpu), products, 1e-5);
    }

    [Theory]
    [InlineData(DType.BF16, 17, 64, DType.BF16)]
    [InlineData(DType.BF16, 1, 40, DType.BF16)]
    [InlineData(DType.F32, 1, 64, DType.F32)]
    [InlineData(DType.F32, 1, 64, DType.Q8_0)]
    [InlineData(DType.F16, 1, 64, DType.BF16)]
    [InlineData(DType.BF16, 65, 64, DType.Q8_0)]
    [InlineData(DType.BF16, 1, 36, DType.Q4_0)]
    public void What_does_not_fit_is_refused(DType dtype, int tokens, int inputs, DType format)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(dtype);
        using LinearWeight w = Pack(half, 8, inputs, format);
        Assert.False(Run(half, half.Random([tokens, inputs]), w, default, half.Poisoned([tokens, 8])));
    }

    private static LinearWeight Pack(HalfTensors half, int outputs, int inputs, DType format)
    {
        CudaProperties gpu = half.Context.Properties;
        Assert.SkipWhen(format == DType.F8E4M3 && gpu.Major < 9 && gpu is not { Major: 8, Minor: 9 }, $"{gpu.Name} has no F8E4M3");
        using Tensor source = Reference.Random([outputs, inputs], 2);
        return LinearWeight.Pack(source, format, half.Device);
    }

    private static bool Run(HalfTensors half, Tensor x, LinearWeight w, in GemvOptions options, Tensor y) =>
        new Gemv(half.Context).TryRun(x, (CudaMatrix)w.Packed, options, y);

    private static double[] Products(Tensor x, LinearWeight w, Tensor? gain, Tensor bias)
    {
        float[][] rows = HalfTensors.Rows(HalfTensors.Values(x.Contiguous()), x.Shape[1]);
        float[][] weights = HalfTensors.Rows(HalfTensors.Values(w.Dequantize()), w.Inputs);
        float[] biases = HalfTensors.Values(bias);
        float[]? gains = gain is null ? null : HalfTensors.Values(gain);
        return [.. rows.SelectMany(row =>
        {
            double[] normed = gains is null ? [.. row.Select(v => (double)v)] : HalfTensors.RmsNorm(row, gains, Eps);
            return weights.Select((column, n) => normed.Zip(column, (a, b) => a * b).Sum() + biases[n]);
        })];
    }
}
