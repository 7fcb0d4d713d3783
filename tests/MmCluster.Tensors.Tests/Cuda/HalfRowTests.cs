using MmCluster.Tensors.Cuda;

namespace MmCluster.Tensors.Tests.Cuda;

/// <summary>Norms, activations and rotations of 16-bit rows against float64.</summary>
[Collection(CudaTests.Name)]
public sealed class HalfRowTests
{
    public static TheoryData<int, int, DType> Sizes => new()
    {
        { 1, 8, DType.BF16 }, { 9, 88, DType.F16 }, { 70, 1024, DType.BF16 }, { 3, 4096, DType.BF16 }, { 1030, 2048, DType.F16 }, { 2, 16384, DType.BF16 },
    };

    [Theory, MemberData(nameof(Sizes))]
    public void Norms_with_and_without_a_residual(int rows, int columns, DType dtype)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(dtype);
        var norms = new RowNorms(half.Context);
        (Tensor gain, Tensor bias) = (half.Floats([columns], 2), half.Floats([columns], 3));
        float[] gains = HalfTensors.Values(gain);
        float[] biases = HalfTensors.Values(bias);
        foreach (bool adds in new[] { false, true })
        {
            Tensor x = half.Random([rows, columns]);
            Tensor sum = half.Random([rows, columns], 4);
            float[] before = HalfTensors.Values(sum);
            Tensor y = half.Poisoned([rows, columns]);
            Assert.True(norms.TryRmsNorm(x, adds ? sum : null, gain, y, 1e-5f));
            Tensor input = adds ? sum : x;
            if (adds)
            {
                half.Close(sum, [.. HalfTensors.Values(x).Select((v, i) => (double)v + before[i])]);
            }

            float[][] each = HalfTensors.Rows(HalfTensors.Values(input), columns);
            half.Close(y, each.SelectMany(row => HalfTensors.RmsNorm(row, gains, 1e-5)).ToArray());

            Tensor centered = half.Poisoned([rows, columns]);
            Assert.True(norms.TryLayerNorm(input, null, gain, bias, centered, 1e-5f));
            half.Close(centered, each.SelectMany(row =>
            {
                double mean = row.Average(v => (double)v);
                double scale = 1 / Math.Sqrt(row.Average(v => (v - mean) * (v - mean)) + 1e-5);
                return row.Select((v, i) => ((v - mean) * scale * gains[i]) + biases[i]);
            }).ToArray());
        }
    }

    [Theory, MemberData(nameof(Sizes))]
    public void Gates_and_biases(int rows, int columns, DType dtype)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(dtype);
        var activations = new GatedActivations(half.Context);
        Tensor both = half.Random([rows, 2 * columns]);
        (Tensor gate, Tensor up, Tensor bias) = (both.Slice(1, 0, columns), both.Slice(1, columns), half.Floats([columns], 2));
        (float[] gates, float[] ups, float[] biases) =
            (HalfTensors.Values(gate.Contiguous()), HalfTensors.Values(up.Contiguous()), HalfTensors.Values(bias));
        foreach (Activation activation in new[] { Activation.Silu, Activation.QuickGelu, Activation.GeluTanh, Activation.Relu, Activation.None })
        {
            Tensor y = half.Poisoned([rows, columns]);
            Assert.True(activations.TryGated(gate, up, activation, y));
            half.Close(y, [.. gates.Select((g, i) => HalfTensors.Activate(activation, g) * ups[i])]);
            Assert.True(activations.TryBiased(gate, bias, activation, y));
            half.Close(y, [.. gates.Select((g, i) => HalfTensors.Activate(activation, (double)g + biases[i % columns]))]);
        }
    }

    [Theory]
    [InlineData(128, 4, 2, 128, false, DType.BF16)]
    [InlineData(80, 4, 4, 32, false, DType.F16)]
    [InlineData(64, 3, 1, 64, true, DType.BF16)]
    [InlineData(256, 2, 1, 64, false, DType.BF16)]
    [InlineData(96, 2, 2, 0, false, DType.BF16)]
    public unsafe void Rotation_and_append(int dim, int heads, int kvHeads, int rotary, bool interleaved, DType dtype)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(dtype);
        const int Tokens = 37;
        Tensor qkv = half.Random([Tokens, heads + (2 * kvHeads), dim]);
        (Tensor q, Tensor k, Tensor v) = (qkv.Slice(1, 0, heads), qkv.Slice(1, heads, heads + kvHeads), qkv.Slice(1, heads + kvHeads));
        (float[] queries, float[] keys, float[] values) =
            (HalfTensors.Values(q.Contiguous()), HalfTensors.Values(k.Contiguous()), HalfTensors.Values(v.Contiguous()));
        RopeTable? table = rotary == 0 ? null : new RopeTable(half.Floats([50, rotary / 2], 7), half.Floats([50, rotary / 2], 8), interleaved);
        int[] positions = [.. Enumerable.Range(0, Tokens).Select(i => i * 11 % 50)];
        int[] slots = [.. Enumerable.Range(0, Tokens).Select(i => i == 3 ? -1 : i * 7 % 48)];
        Tensor cache = half.Poisoned([3, kvHeads, 2, 16, dim]);
        Assert.True(new RopeAppend(half.Context).TryRun(q, q, k, v, table, half.Ints(positions), (nint)cache.Data, half.Ints(slots)));

        half.Close(q.Contiguous(), RopeReference.Turn(queries, heads, dim, table, positions));
        double[] turned = RopeReference.Turn(keys, kvHeads, dim, table, positions);
        float[] kept = HalfTensors.Values(cache);
        var expected = new double[kept.Length];
        Array.Fill(expected, double.NaN);
        for (int i = 0; i < Tokens; i++)
        {
            for (int at = 0; at < kvHeads * dim && slots[i] >= 0; at++)
            {
                (int head, int d) = Math.DivRem(at, dim);
                int to = (((((slots[i] / 16 * kvHeads) + head) * 2 * 16) + (slots[i] % 16)) * dim) + d;
                expected[to] = turned[(i * kvHeads * dim) + at];
                expected[to + (16 * dim)] = values[(i * kvHeads * dim) + at];
            }
        }

        Assert.Equal(expected.Count(double.IsNaN), kept.Count(float.IsNaN));
        half.Close(half.From([.. kept.Select(x => float.IsNaN(x) ? 0 : x)], [kept.Length]), [.. expected.Select(x => double.IsNaN(x) ? 0 : x)]);
    }
}
