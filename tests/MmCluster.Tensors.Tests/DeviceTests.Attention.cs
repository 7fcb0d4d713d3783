namespace MmCluster.Tensors.Tests;

public abstract partial class DeviceTests
{
    [Theory]
    [InlineData(1, 2, 2, 5, 5, 8, true)]
    [InlineData(2, 4, 2, 19, 19, 64, true)]
    [InlineData(1, 8, 1, 3, 40, 80, false)]
    [InlineData(1, 3, 3, 50, 17, 33, false)]
    [InlineData(2, 20, 1, 7, 33, 128, true)]
    [InlineData(1, 2, 2, 1, 1, 256, true)]
    public void Attention_matches_the_naive_softmax(int batch, int heads, int kvHeads, int queries, int keys, int dim, bool causal)
    {
        using var scope = new TensorScope();
        Tensor q = Random([batch, heads, queries, dim], 1);
        Tensor k = Random([batch, kvHeads, keys, dim], 2);
        Tensor v = Random([batch, kvHeads, keys, dim + 3], 3);
        Tensor bias = Random([heads, 1, keys], 4);
        Tensor mask = Random([batch, 1, queries, keys], 5).Greater(Scalar(-0.5f));
        Tensor y = Ops.ScaledDotProductAttention(q, k, v, mask, bias, causal, 0.7f);
        byte[] visible = mask.ToArray<byte>();
        var expected = new List<double>();
        for (int b = 0; b < batch; b++)
        {
            for (int h = 0; h < heads; h++)
            {
                float[][] ks = Rows(k, b, h * kvHeads / heads);
                float[][] vs = Rows(v, b, h * kvHeads / heads);
                for (int i = 0; i < queries; i++)
                {
                    float[] row = Rows(q, b, h)[i];
                    expected.AddRange(Reference.Attend(row, ks, vs, 0.7f, j =>
                        (causal && j > i) || visible[(((b * queries) + i) * keys) + j] == 0 ? null : bias.Select(0, h).ToArray<float>()[j]));
                }
            }
        }

        Reference.Close(y, expected.ToArray(), 2e-6);
    }

    private static float[][] Rows(Tensor x, int batch, int head) =>
        [.. Enumerable.Range(0, x.Shape[2]).Select(i => x.Select(0, batch).Select(0, head).Select(0, i).ToArray<float>())];

    private protected PagedBatch Batch((int Sequence, int Start, int End)[] step, int[][] blocks) => HostBatch(step, blocks).To(Device);

    private static PagedBatch HostBatch((int Sequence, int Start, int End)[] step, int[][] blocks)
    {
        int width = blocks.Max(b => b.Length);
        int[] tokens = [.. step.Select(c => c.End - c.Start)];
        return new PagedBatch
        {
            QueryStarts = Tensor.From(tokens.Aggregate(new List<int> { 0 }, (starts, n) => [.. starts, starts[^1] + n]).ToArray(), [step.Length + 1]),
            SequenceLengths = Tensor.From(step.Select(c => c.End).ToArray(), [step.Length]),
            BlockTables = Tensor.From(
                step.SelectMany(c => blocks[c.Sequence].Concat(Enumerable.Repeat(-1, width - blocks[c.Sequence].Length))).ToArray(), [step.Length, width]),
            SlotMapping = Tensor.From(
                step.SelectMany(c => Enumerable.Range(c.Start, c.End - c.Start).Select(p => (blocks[c.Sequence][p / 16] * 16) + (p % 16))).ToArray(),
                [tokens.Sum()]),
            Positions = Tensor.From(step.SelectMany(c => Enumerable.Range(c.Start, c.End - c.Start)).ToArray(), [tokens.Sum()]),
        };
    }

    [Fact]
    public void Rope_turns_halves_or_neighbours_and_leaves_the_rest()
    {
        using var scope = new TensorScope();
        Tensor cos = From([0.5f, 0.25f], [1, 2]);
        Tensor sin = From([2f, 3f], [1, 2]);
        Tensor x = From([1f, 10, 100, 1000, 7], [1, 1, 5]);
        Tensor at = Of(0);
        Assert.Equal([-199.5f, -2997.5f, 52, 280, 7], Ops.Rope(x, new RopeTable(cos, sin), at).ToArray<float>());
        Assert.Equal([-19.5f, 7, -2975, 550, 7], Ops.Rope(x, new RopeTable(cos, sin, interleaved: true), at).ToArray<float>());
    }

    [Fact]
    public void A_bias_by_distance_is_added_to_the_scores_and_ends_in_its_last_entry()
    {
        using var scope = new TensorScope();
        using var kv = new PagedKv(3, 2, 8, device: Device);
        Tensor q = Random([40, 2, 8], 1);
        Tensor k = Random([40, 2, 8], 2);
        Tensor bias = Random([2, 6], 3);
        PagedBatch batch = Batch([(0, 0, 40)], [[2, 0, 1]]);
        Ops.Append(k, k, kv, batch);
        Tensor y = Ops.PagedAttention(q, kv, batch, new AttentionOptions { Scale = 1, DistanceBias = bias });
        for (int head = 0; head < 2; head++)
        {
            float[][] keys = Rows(k.Transpose(0, 1).Unsqueeze(0), 0, head);
            float[] biases = bias.Select(0, head).ToArray<float>();
            for (int i = 0; i < 40; i++)
            {
                double[] expected = Reference.Attend(q.Select(0, i).Select(0, head).ToArray<float>(), keys, keys, 1,
                    j => j > i ? null : biases[Math.Min(i - j, 5)]);
                Reference.Close(y.Select(0, i).Select(0, head).Contiguous(), expected, 2e-6);
            }
        }
    }

    [Fact]
    public void A_token_sees_positions_between_its_start_and_its_end()
    {
        using var scope = new TensorScope();
        using var kv = new PagedKv(6, 1, 24, device: Device);
        Tensor k = Random([90, 1, 24], 1);
        Ops.Append(k, k, kv, Batch([(0, 0, 90)], [[0, 1, 2, 3, 4, 5]]));
        Tensor q = Random([5, 1, 24], 2);
        int[] starts = [0, 3, 16, 70, 0];
        int[] ends = [90, 5, 81, 90, 0];
        Tensor y = Ops.PagedAttention(q, kv, new PagedBatch
        {
            QueryStarts = Of(0, 5),
            SequenceLengths = Of(90),
            BlockTables = From([0, 1, 2, 3, 4, 5], [1, 6]),
            SlotMapping = Full([5], -1, DType.I32),
            Positions = Full([5], 0, DType.I32),
            VisibleStarts = From(starts, [5]),
            VisibleEnds = From(ends, [5]),
        }, new AttentionOptions { Causal = false });
        float[][] rows = Rows(k.Transpose(0, 1).Unsqueeze(0), 0, 0);
        for (int i = 0; i < 5; i++)
        {
            double[] expected = Reference.Attend(
                q.Select(0, i).Select(0, 0).ToArray<float>(), rows, rows, 1 / Math.Sqrt(24), j => j >= starts[i] && j < ends[i] ? 0 : null);
            Reference.Close(y.Select(0, i).Select(0, 0).Contiguous(), expected, 2e-6);
        }
    }

    [Fact]
    public void More_queries_than_keys_are_refused_only_where_attention_is_causal()
    {
        using var scope = new TensorScope();
        using var kv = new PagedKv(1, 1, 8, device: Device);
        Tensor k = Random([2, 1, 8], 1);
        Ops.Append(k, k, kv, Batch([(0, 0, 2)], [[0]]));
        PagedBatch batch = new() // on the processor, where its numbers are checked
        {
            QueryStarts = Tensor.Of(0, 5),
            SequenceLengths = Tensor.Of(2),
            BlockTables = Tensor.From([0], [1, 1]),
            SlotMapping = Tensor.Full([5], -1, DType.I32),
            Positions = Tensor.Full([5], 0, DType.I32),
        };
        Tensor q = Random([5, 1, 8], 2);
        Tensor y = Ops.PagedAttention(q, kv, batch.To(Device), new AttentionOptions { Causal = false });
        float[][] keys = Rows(k.Transpose(0, 1).Unsqueeze(0), 0, 0);
        for (int i = 0; i < 5; i++)
        {
            double[] expected = Reference.Attend(q.Select(0, i).Select(0, 0).ToArray<float>(), keys, keys, 1 / Math.Sqrt(8), _ => 0);
            Reference.Close(y.Select(0, i).Select(0, 0).Contiguous(), expected, 2e-6);
        }

        Assert.Contains("5 queries", Assert.Throws<ArgumentException>(() => Ops.PagedAttention(q, kv, batch, new())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_batch_that_names_a_block_that_is_not_there_is_refused()
    {
        using var scope = new TensorScope();
        using var kv = new PagedKv(2, 1, 8, device: Device);
        PagedBatch batch = HostBatch([(0, 0, 3)], [[2]]);
        Tensor q = Zeros([3, 1, 8]);
        Assert.Contains("block 2", Assert.Throws<ArgumentException>(() => Ops.PagedAttention(q, kv, batch, new())).Message, StringComparison.Ordinal);
        Assert.Contains("slots", Assert.Throws<ArgumentException>(() => Ops.Append(q, q, kv, batch)).Message, StringComparison.Ordinal);
    }
}
