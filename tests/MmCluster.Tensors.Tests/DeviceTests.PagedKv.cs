namespace MmCluster.Tensors.Tests;

// Paged attention and the types in which keys and values are kept.
public abstract partial class DeviceTests
{
    /// <summary>Two sequences over scattered blocks, computed at once, in chunks, and one token at a time.</summary>
    [Theory]
    [InlineData(4, 2, 64, null, DType.F32)]
    [InlineData(3, 3, 40, 20, DType.F32)]
    [InlineData(8, 1, 128, null, DType.F32)]
    [InlineData(40, 2, 32, 5, DType.F32)]
    [InlineData(4, 2, 64, null, DType.BF16)]
    [InlineData(3, 3, 34, 20, DType.BF16)]
    [InlineData(8, 1, 256, null, DType.BF16)]
    [InlineData(40, 2, 32, 5, DType.BF16)]
    [InlineData(4, 2, 64, null, DType.Q8_0)]
    [InlineData(3, 3, 34, 20, DType.Q8_0)]
    [InlineData(8, 1, 256, null, DType.Q8_0)]
    [InlineData(40, 2, 32, 5, DType.Q8_0)]
    public void Paged_attention_has_the_same_bits_whole_chunked_and_token_by_token(int heads, int kvHeads, int dim, int? window, DType dtype)
    {
        Assert.SkipWhen(dtype == DType.Q8_0 && !Device.IsCpu, "a GPU keeps no Q8_0");
        using var scope = new TensorScope();
        int[] lengths = [70, 33];
        int[][] blocks = [[7, 2, 9, 4, 1], [3, 8, 0]];
        Tensor[] qs = [.. lengths.Select((n, s) => Random([n, heads, dim], s))];
        Tensor[] ks = [.. lengths.Select((n, s) => Random([n, kvHeads, dim], s + 10))];
        Tensor[] vs = [.. lengths.Select((n, s) => Random([n, kvHeads, dim], s + 20))];
        var table = new RopeTable(Random([80, dim / 2], 30), Random([80, dim / 2], 31));
        var options = new AttentionOptions { Window = window };

        float[][] Run((int Sequence, int Start, int End)[][] steps)
        {
            using var kv = new PagedKv(10, kvHeads, dim, dtype, Device);
            var outputs = new List<float>[] { [], [] };
            foreach ((int Sequence, int Start, int End)[] step in steps)
            {
                Tensor q = Ops.Cat([.. step.Select(c => qs[c.Sequence].Slice(0, c.Start, c.End))]);
                Tensor k = Ops.Cat([.. step.Select(c => ks[c.Sequence].Slice(0, c.Start, c.End))]);
                Tensor v = Ops.Cat([.. step.Select(c => vs[c.Sequence].Slice(0, c.Start, c.End))]);
                PagedBatch batch = Batch(step, blocks);
                Ops.RopeAndAppend(q, k, v, table, kv, batch);
                Tensor y = Ops.PagedAttention(q, kv, batch, options);
                int at = 0;
                foreach ((int sequence, int start, int end) in step)
                {
                    outputs[sequence].AddRange(y.Slice(0, at, at + end - start).ToArray<float>());
                    at += end - start;
                }
            }

            return [.. outputs.Select(o => o.ToArray())];
        }

        float[][] whole = Run([[(0, 0, 70), (1, 0, 33)]]);
        float[][] chunked = Run([[(0, 0, 17)], [(1, 0, 20), (0, 17, 50)], [(0, 50, 70), (1, 20, 33)]]);
        float[][] single = Run([.. Enumerable.Range(0, 70).Select(i => i < 33 ? new[] { (0, i, i + 1), (1, i, i + 1) } : [(0, i, i + 1)])]);
        Assert.Equal(whole[0], chunked[0]);
        Assert.Equal(whole[1], chunked[1]);
        Assert.Equal(whole[0], single[0]);
        Assert.Equal(whole[1], single[1]);

        // against the naive twin
        Tensor positions = From(Enumerable.Range(0, 70).ToArray(), [70]);
        float[][] keys = Stored(Rows(Ops.Rope(ks[0], table, positions).Transpose(0, 1).Unsqueeze(0), 0, 0), dtype);
        float[][] values = Stored(Rows(vs[0].Transpose(0, 1).Unsqueeze(0), 0, 0), dtype);
        Tensor turned = Ops.Rope(qs[0], table, positions);
        for (int i = 0; i < 70; i++)
        {
            float[] row = turned.Select(0, i).Select(0, 0).ToArray<float>();
            double[] expected = Reference.Attend(row, keys, values, 1 / Math.Sqrt(dim), j => j > i || j <= i - (window ?? 1000) ? null : 0);
            Reference.Close(From(whole[0].AsSpan((i * heads * dim)..((i * heads * dim) + dim)).ToArray(), [dim]), expected, 2e-6);
        }
    }

    public static TheoryData<int, DType> HeadSizes
    {
        get
        {
            var data = new TheoryData<int, DType>();
            foreach (int dim in new[] { 32, 33, 47, 64, 80, 96, 100, 111, 128, 160, 192, 255, 256 })
            {
                foreach (DType dtype in new[] { DType.F32, DType.BF16, DType.Q8_0 })
                {
                    data.Add(dim, dtype);
                }
            }

            return data;
        }
    }

    /// <summary>Lengths that leave every tail of a block and of a span, as one query and as many.</summary>
    [Theory, MemberData(nameof(HeadSizes))]
    public void Attention_reads_what_was_stored_at_any_length(int dim, DType dtype)
    {
        Assert.SkipWhen(dtype == DType.Q8_0 && !Device.IsCpu, "a GPU keeps no Q8_0");
        const int Most = 83;
        using var scope = new TensorScope();
        using var kv = new PagedKv(6, 2, dim, dtype, Device);
        Tensor q = Random([Most, 4, dim], 1);
        Tensor k = Random([Most, 2, dim], 2).Mul(Scalar(3f));
        Tensor v = Random([Most, 2, dim], 3).Mul(Scalar(0.2f));
        int[][] blocks = [[4, 1, 5, 0, 2, 3]];
        PagedBatch all = Batch([(0, 0, Most)], blocks);
        Ops.Append(k, v, kv, all);
        Tensor many = Ops.PagedAttention(q, kv, all, new());
        float[][] keys = Stored(Rows(k.Transpose(0, 1).Unsqueeze(0), 0, 1), dtype);
        float[][] values = Stored(Rows(v.Transpose(0, 1).Unsqueeze(0), 0, 1), dtype);
        for (int length = 1; length <= Most; length++)
        {
            Tensor one = Ops.PagedAttention(q.Slice(0, length - 1, length), kv, Batch([(0, length - 1, length)], blocks), new());
            Assert.Equal(many.Slice(0, length - 1, length).ToArray<float>(), one.ToArray<float>());
            double[] expected = Reference.Attend(
                q.Select(0, length - 1).Select(0, 3).ToArray<float>(), keys, values, 1 / Math.Sqrt(dim), j => j < length ? 0 : null);
            Reference.Close(one.Select(0, 0).Select(0, 3).Contiguous(), expected, 2e-6);
        }
    }

    // The naive twin of storing: what is read back.
    private static float[][] Stored(float[][] rows, DType dtype) => [.. rows.Select(row => dtype switch
    {
        DType.BF16 => [.. row.Select(x => BFloat16.Widen(BFloat16.Round(x)))],
        DType.Q8_0 => Quantized(row),
        _ => row,
    })];

    private static float[] Quantized(float[] row)
    {
        float largest = row.Max(Math.Abs);
        return [.. row.Select(x => MathF.Round(x * (127 / largest)) * (largest / 127))];
    }
}
