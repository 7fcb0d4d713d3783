namespace MmCluster.Tensors.Tests;

public abstract partial class DeviceTests
{
    private const int Longest = 257;

    /// <summary>Name, operation, the formula in float64, the allowed error relative to max(|y|, floor).</summary>
    public static TheoryData<string> UnaryNames => [.. Unaries.Keys];

    private static readonly Dictionary<string, (Func<Tensor, Tensor> Op, Func<double, double> Formula, double Floor)> Unaries = new()
    {
        ["neg"] = (x => x.Neg(), x => -x, 0),
        ["abs"] = (x => x.Abs(), Math.Abs, 0),
        ["exp"] = (x => x.Exp(), Math.Exp, 1e-38),
        ["log"] = (x => x.Abs().Log(), x => Math.Log(Math.Abs(x)), 1e-2),
        ["sqrt"] = (x => x.Abs().Sqrt(), x => Math.Sqrt(Math.Abs(x)), 0),
        ["rsqrt"] = (x => x.Abs().Rsqrt(), x => 1 / Math.Sqrt(Math.Abs(x)), 0),
        ["sin"] = (x => x.Sin(), Math.Sin, 1e-1),
        ["cos"] = (x => x.Cos(), Math.Cos, 1e-1),
        ["clamp"] = (x => x.Clamp(-1, 2.5f), x => Math.Clamp(x, -1, 2.5), 0),
        ["pow"] = (x => x.Pow(3), x => x * x * x, 0),
        ["erf"] = (x => x.Erf(), Erf, 0),
        ["relu"] = (x => x.Relu(), x => Math.Max(0, x), 0),
        ["gelu"] = (x => x.Gelu(), x => x / 2 * (1 + Erf(x / Math.Sqrt(2))), 0.5),
        ["gelu_tanh"] = (x => x.GeluTanh(), x => x / 2 * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))), 0.5),
        ["quick_gelu"] = (x => x.QuickGelu(), x => x / (1 + Math.Exp(-1.702 * x)), 0.05),
        ["silu"] = (x => x.Silu(), x => x / (1 + Math.Exp(-x)), 1e-30),
        ["sigmoid"] = (x => x.Sigmoid(), x => 1 / (1 + Math.Exp(-x)), 1e-30),
        ["tanh"] = (x => x.Tanh(), Math.Tanh, 0),
        ["affine"] = (x => (x * 3f) + 2f, x => (x * 3) + 2, 2),
    };

    [Theory, MemberData(nameof(UnaryNames))]
    public void Elementwise_functions_match_float64_at_every_length(string name)
    {
        (Func<Tensor, Tensor> op, Func<double, double> formula, double floor) = Unaries[name];
        using var scope = new TensorScope();
        float[] values = [.. Reference.Values(Longest, 7).Select((v, i) => v * (i % 3 == 0 ? 12 : i % 3 == 1 ? 1 : 0.01f))];
        float[] whole = op(From(values, [Longest])).ToArray<float>();
        for (int i = 0; i < Longest; i++)
        {
            double expected = formula(values[i]);
            double error = Math.Abs(whole[i] - expected) / Math.Max(Math.Max(Math.Abs(expected), floor), 1e-300);
            Assert.True(error < FunctionError, $"{name}({values[i]}) = {whole[i]}, expected {expected}, error {error:g3}");
        }

        for (int length = 0; length < Longest; length++)
        {
            float[] part = op(From(values[..length], [length])).ToArray<float>();
            Assert.Equal(whole[..length], part); // bit for bit: a value's result does not depend on where it lies
        }
    }

    [Fact]
    public void Functions_keep_nan_and_reach_their_limits()
    {
        using var scope = new TensorScope();
        Tensor x = Of(float.NaN, float.PositiveInfinity, float.NegativeInfinity, 0f, 100f, -100f, -120f, 88.7f);
        Assert.Equal([float.NaN, float.PositiveInfinity, 0, 1], x.Exp().ToArray<float>()[..4]);
        Assert.Equal(float.PositiveInfinity, x.Exp().ToArray<float>()[4]);
        Assert.Equal(3.78e-44, x.Exp().ToArray<float>()[5], 2e-45);
        Assert.Equal(0, x.Exp().ToArray<float>()[6]);
        Assert.Equal(1, x.Exp().ToArray<float>()[7] / Math.Exp(88.7f), 1e-6);
        Assert.Equal([float.NaN, 1, -1, 0, 1, -1], x.Tanh().ToArray<float>()[..6]);
        Assert.Equal([float.NaN, 1, -1, 0, 1, -1], x.Erf().ToArray<float>()[..6]);
        Assert.Equal([float.NaN, float.PositiveInfinity, 0, 0, 100, 0], x.Relu().ToArray<float>()[..6]);
        Assert.Equal([float.NaN, 2, -1, 0, 2, -1], x.Clamp(-1, 2).ToArray<float>()[..6]);
        Tensor y = Of(1f, float.NaN, 1, 1, 1, 1, 1, 1);
        Assert.Equal([float.NaN, float.NaN, 1, 1], x.Maximum(y).ToArray<float>()[..4]);
        Assert.Equal([float.NaN, float.NaN, float.NegativeInfinity, 0], x.Minimum(y).ToArray<float>()[..4]);
    }

    [Fact]
    public void Binary_operations_broadcast_over_any_strides()
    {
        using var scope = new TensorScope();
        Tensor a = Random([3, 1, 5, 7], 1).Permute(0, 1, 3, 2); // [3, 1, 7, 5]
        Tensor b = Random([2, 1, 10], 2).Slice(2, 0, step: 2); // [2, 1, 5]
        float[] left = a.Expand([3, 2, 7, 5]).ToArray<float>();
        float[] right = b.Expand([3, 2, 7, 5]).ToArray<float>();
        (Tensor Got, Func<float, float, float> Expected)[] cases =
        [
            (a + b, (x, y) => x + y), (a - b, (x, y) => x - y), (a * b, (x, y) => x * y), (a / b, (x, y) => x / y),
            (a.Maximum(b), MathF.Max), (a.Minimum(b), MathF.Min),
        ];
        foreach ((Tensor got, Func<float, float, float> expected) in cases)
        {
            Assert.Equal(new Shape(3, 2, 7, 5), got.Shape);
            Assert.Equal(left.Zip(right, expected), got.ToArray<float>());
        }

        Reference.Close(Ops.SiluMul(a, b), [.. left.Zip(right, (x, y) => x / (1 + Math.Exp(-x)) * y)]);
        Assert.Equal(left.Zip(right, (x, y) => x < y), a.Less(b).ToArray<bool>());
        Assert.Equal(left.Zip(right, (x, y) => x < y ? x : y), Ops.Where(a.Less(b), a, b).ToArray<float>());
        string error = Assert.Throws<ArgumentException>(() => a + Zeros([4])).Message;
        Assert.Contains("[3, 1, 7, 5] and [4]", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Large_tensors_are_split_over_threads_without_a_seam()
    {
        using var scope = new TensorScope();
        Tensor x = Random([3, 40_001], 1);
        float[] values = x.ToArray<float>();
        Assert.Equal(values.Select(v => v + v), (x + x).ToArray<float>());
        Tensor columns = x.Transpose(0, 1);
        Assert.Equal(columns.ToArray<float>().Select(v => -v), columns.Neg().ToArray<float>());
    }

    [Fact]
    public void Integers_stay_integers()
    {
        using var scope = new TensorScope();
        Tensor a = Of(1L << 60, -5, 7);
        Assert.Equal([(1L << 60) + 1, -4, 8], (a + Of(1L)).ToArray<long>());
        Assert.Equal([false, true, false], a.Less(Of(0L)).ToArray<bool>());
        Assert.Equal([2, 6], (Of(1, 2) * Of(2, 3)).ToArray<int>());
    }

    [Fact]
    public void An_output_may_be_an_input_but_not_overlap_one()
    {
        using var scope = new TensorScope();
        Tensor x = Of(1f, 2, 3, 4);
        Assert.Same(x, x.Mul(2, x));
        Assert.Equal([2f, 4, 6, 8], x.ToArray<float>());
        x.Add(x, x);
        Assert.Equal([4f, 8, 12, 16], x.ToArray<float>());
        Assert.Throws<ArgumentException>(() => x.Slice(0, 0, 3).Neg(x.Slice(0, 1, 4)));
        Tensor pair = Ones([3, 8]);
        Ops.SiluMul(pair.Slice(1, 0, 4), pair.Slice(1, 4), pair.Slice(1, 0, 4)); // halves of one projection
        Assert.Equal(1f, pair.ToArray<float>()[4]);
        Assert.Throws<ArgumentException>(() => x.Neg(Zeros([3])));
    }

    private static double Erf(double x)
    {
        if (Math.Abs(x) > 2)
        {
            // The continued fraction of 1 - erf, from its far end
            double fraction = 0;
            for (int n = 100; n > 0; n--)
            {
                fraction = n / 2.0 / (Math.Abs(x) + fraction);
            }

            return Math.CopySign(1 - (Math.Exp(-x * x) / ((Math.Abs(x) + fraction) * Math.Sqrt(Math.PI))), x);
        }

        double term = x;
        double sum = x;
        for (int n = 1; n < 60; n++)
        {
            term *= -x * x / n;
            sum += term / ((2 * n) + 1);
        }

        return sum * 2 / Math.Sqrt(Math.PI);
    }
}
