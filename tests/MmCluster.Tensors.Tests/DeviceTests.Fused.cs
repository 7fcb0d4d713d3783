namespace MmCluster.Tensors.Tests;

// Fused operations, and floats of all types that a device computes in.
public abstract partial class DeviceTests
{
    /// <summary>Types of rows; the processor has F32 only.</summary>
    public static TheoryData<DType, double> RowTypes => new() { { DType.F32, 2e-6 }, { DType.BF16, 1e-2 }, { DType.F16, 2e-3 } };

    [Theory, MemberData(nameof(RowTypes))]
    public void Fused_operations_are_what_they_are_made_of(DType dtype, double tolerance)
    {
        Assert.SkipWhen(dtype != DType.F32 && Device.IsCpu, "the processor computes in F32");
        foreach (int rows in new[] { 1, 7, 16, 40 })
        {
            using var scope = new TensorScope();
            const int Width = 96, Inner = 64;
            Tensor x = Random([rows, Width], 1).To(dtype);
            Tensor norm = Random([Width], 2);
            Tensor bias = Random([2 * Inner], 3);
            using LinearWeight weight = LinearWeight.Pack(Random([2 * Inner, Width], 4), dtype, Device);
            using LinearWeight back = LinearWeight.Pack(Random([Width, Inner], 5), dtype, Device);
            double[] normed = Normed(Wide(x), norm.ToArray<float>(), rows, Width);
            double[] product = Product(normed, Wide(weight.Dequantize()), bias.ToArray<float>(), rows, 2 * Inner, Width);
            Close(Ops.RmsNormLinear(x, norm, 1e-5f, weight, bias), product, tolerance);

            double[] gated = new double[rows * Inner];
            for (int i = 0; i < gated.Length; i++)
            {
                (int row, int column) = Math.DivRem(i, Inner);
                double gate = product[(row * 2 * Inner) + column];
                gated[i] = gate / (1 + Math.Exp(-gate)) * product[(row * 2 * Inner) + Inner + column];
            }

            Tensor mixed = Ops.RmsNormGatedLinear(x, norm, 1e-5f, weight, Activation.Silu, bias);
            Close(mixed, gated, tolerance);

            float[] residual = Wide(x);
            double[] added = Product([.. Wide(mixed).Select(v => (double)v)], Wide(back.Dequantize()), [], rows, Width, Inner);
            Ops.LinearAdd(mixed, back, null, x);
            Close(x, [.. added.Zip(residual, (a, b) => a + b)], tolerance);
        }
    }

    [Theory, MemberData(nameof(RowTypes))]
    public void Attention_of_a_fused_projection_is_rope_append_and_attention(DType dtype, double tolerance)
    {
        Assert.SkipWhen(dtype != DType.F32 && Device.IsCpu, "the processor computes in F32");
        using var scope = new TensorScope();
        const int Heads = 4, KvHeads = 2, Dim = 64;
        int[] lengths = [70, 33];
        int[][] blocks = [[7, 2, 9, 4, 1], [3, 8, 0]];
        Tensor qkv = Random([103, (Heads + (2 * KvHeads)) * Dim], 1).To(dtype);
        var table = new RopeTable(Random([80, Dim / 2], 30), Random([80, Dim / 2], 31));
        using var kv = new PagedKv(10, KvHeads, Dim, dtype, Device);
        using var apart = new PagedKv(10, KvHeads, Dim, DType.F32, Device);
        PagedBatch batch = Batch([(0, 0, 70), (1, 0, 33)], blocks);
        Tensor cut = qkv.To(DType.F32).Reshape(103, Heads + (2 * KvHeads), Dim).Clone();
        Tensor q = cut.Slice(1, 0, Heads);
        Ops.RopeAndAppend(q, cut.Slice(1, Heads, Heads + KvHeads), cut.Slice(1, Heads + KvHeads), table, apart, batch);
        double[] expected = [.. Ops.PagedAttention(q, apart, batch, new()).ToArray<float>().Select(v => (double)v)];
        Tensor whole = Ops.RopePagedAttention(qkv.Clone(), Heads, table, kv, batch, new());
        Close(whole, expected, tolerance);

        // the last token of each sequence again, as a decode step
        PagedBatch step = Batch([(0, 69, 70), (1, 32, 33)], blocks);
        step.MaxQueries = 1;
        Tensor last = Ops.Cat([qkv.Slice(0, 69, 70), qkv.Slice(0, 102, 103)]);
        int width = Heads * Dim;
        double[] tail = [.. expected[(69 * width)..(70 * width)], .. expected[(102 * width)..]];
        Close(Ops.RopePagedAttention(last, Heads, table, kv, step, new()), tail, tolerance);
    }

    [Theory, MemberData(nameof(RowTypes))]
    public void Rows_of_every_float_type_are_computed_in_f32(DType dtype, double tolerance)
    {
        Assert.SkipWhen(dtype != DType.F32 && Device.IsCpu, "the processor computes in F32");
        using var scope = new TensorScope();
        Tensor x = Random([5, 3, 200], 1).To(dtype);
        Tensor wide = x.To(DType.F32);
        Tensor weight = Random([200], 2), bias = Random([200], 3);
        (Tensor Got, Tensor Expected)[] cases =
        [
            (x.RmsNorm(weight), wide.RmsNorm(weight)), (x.LayerNorm(weight, bias), wide.LayerNorm(weight, bias)), (x.Softmax(), wide.Softmax()),
            (x.Gelu(), wide.Gelu()), (x.Transpose(0, 2).Silu(), wide.Transpose(0, 2).Silu()), (x + x.Slice(1, 0, 1), wide + wide.Slice(1, 0, 1)),
            (Ops.SiluMul(x.Slice(2, 0, 100), x.Slice(2, 100)), Ops.SiluMul(wide.Slice(2, 0, 100), wide.Slice(2, 100))), (x.Mean(1), wide.Mean(1)),
            (x.Reshape(3, 5, 20, 10).Interpolate(7, 13), wide.Reshape(3, 5, 20, 10).Interpolate(7, 13)),
            (Attend(x), Attend(wide)),
        ];
        foreach ((Tensor got, Tensor expected) in cases)
        {
            Assert.Equal(dtype, got.DType);
            Close(got, [.. expected.ToArray<float>().Select(v => (double)v)], tolerance);
        }

        static Tensor Attend(Tensor rows)
        {
            Tensor heads = rows.Reshape(5, 3, 4, 50).Transpose(1, 2);
            return Ops.ScaledDotProductAttention(heads, heads, heads);
        }
    }

    [Fact]
    public void What_lies_on_different_devices_does_not_meet()
    {
        Assert.SkipWhen(Device.IsCpu, "there is one processor");
        using var scope = new TensorScope();
        Assert.Contains("move it", Assert.Throws<ArgumentException>(() => Zeros([2]) + Tensor.Zeros([2])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Zeros([2]).RmsNorm(Tensor.Zeros([2])));
        Assert.Throws<ArgumentException>(() => Zeros([2]).AsSpan<float>());
        Tensor there = Tensor.From([1f, 2, 3, 4], [2, 2]).Transpose(0, 1).To(Device);
        Assert.Equal([1f, 3, 2, 4], there.ToArray<float>());
        Assert.Equal([3f, 4], Tensor.Zeros([2]).CopyFrom(there.Select(1, 1)).ToArray<float>());
    }

    private static float[] Wide(Tensor x) => x.To(DType.F32).ToArray<float>();

    private static void Close(Tensor actual, double[] expected, double tolerance) => Reference.Close(actual.To(DType.F32), expected, tolerance);

    private static double[] Normed(float[] x, float[] weight, int rows, int width)
    {
        var y = new double[x.Length];
        for (int row = 0; row < rows; row++)
        {
            double square = Math.Sqrt(x.Skip(row * width).Take(width).Average(v => (double)v * v) + 1e-5);
            for (int i = 0; i < width; i++)
            {
                y[(row * width) + i] = x[(row * width) + i] / square * weight[i];
            }
        }

        return y;
    }

    private static double[] Product(double[] x, float[] w, float[] bias, int m, int n, int k)
    {
        var y = new double[m * n];
        for (int i = 0; i < y.Length; i++)
        {
            (int row, int column) = Math.DivRem(i, n);
            y[i] = bias.Length == 0 ? 0 : bias[column];
            for (int j = 0; j < k; j++)
            {
                y[i] += x[(row * k) + j] * w[(column * k) + j];
            }
        }

        return y;
    }
}
