using MmCluster.Tensors.Cuda;
using MmCluster.Tensors.Cuda.Native;

namespace MmCluster.Tensors.Tests.Cuda;

/// <summary>Attention kernels for 16-bit elements against float64, over scattered blocks and NaN wherever nothing was written.</summary>
[Collection(CudaTests.Name)]
public sealed class HalfAttentionTests
{
    public static TheoryData<int, int, int, DType> Heads => new()
    {
        { 64, 2, 2, DType.BF16 }, { 80, 6, 2, DType.BF16 }, { 128, 2, 2, DType.BF16 }, { 128, 10, 1, DType.F16 }, { 256, 4, 1, DType.BF16 },
    };

    // Each size is a module of its own: compiled by turns, they would take a minute.
    private static readonly Lazy<bool> Compiled = new(() =>
    {
        Parallel.ForEach(Heads.Select(row => row.Data), size => Touch(size.Item1, size.Item4));
        return true;
    });

    public HalfAttentionTests()
    {
        CudaTests.Require();
        Assert.True(Compiled.Value);
    }

    [Theory, MemberData(nameof(Heads))]
    public unsafe void One_token_a_sequence(int dim, int heads, int kvHeads, DType dtype)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(dtype);
        int[] lengths = [1, 5, 16, 17, 100, 333];
        int count = lengths.Length;
        var attention = new DecodeAttention(half.Context);
        foreach ((int? window, float? cap, bool interleaved, int rotary) in new (int?, float?, bool, int)[]
            { (null, null, false, dim), (40, null, false, dim), (null, 20, true, dim), (null, null, false, dim / 32 * 16), (null, null, false, 0) })
        {
            var paged = new PagedCase(half, [.. Enumerable.Repeat(1, count)], [.. lengths.Select(n => n - 1)], kvHeads, dim, newestIsMissing: true);
            RopeTable? table = rotary == 0 ? null : new RopeTable(half.Floats([333, rotary / 2], 7), half.Floats([333, rotary / 2], 8), interleaved);
            Tensor qkv = half.Random([count, heads + (2 * kvHeads), dim], 3);
            (Tensor q, Tensor k, Tensor v) = (qkv.Slice(1, 0, heads), qkv.Slice(1, heads, heads + kvHeads), qkv.Slice(1, heads + kvHeads));
            Tensor y = half.Poisoned([count + 1, heads, dim]);
            var options = new AttentionOptions { Window = window, SoftCap = cap };
            Assert.True(attention.TryRun(q, k, v, table, (nint)paged.Cache.Data, paged.Batch, options, y.Slice(0, 0, count)));

            double[] queries = RopeReference.Turn(HalfTensors.Values(q.Contiguous()), heads, dim, table, paged.Positions);
            double[] keys = RopeReference.Turn(HalfTensors.Values(k.Contiguous()), kvHeads, dim, table, paged.Positions);
            float[] values = HalfTensors.Values(v.Contiguous());
            half.Close(y.Slice(0, 0, count), Expected(paged, queries, heads, kvHeads, dim, options, (s, head, d, isValue) =>
                isValue ? values[(((s * kvHeads) + head) * dim) + d] : keys[(((s * kvHeads) + head) * dim) + d]));
            Assert.All(HalfTensors.Values(y.Slice(0, count)), x => Assert.True(float.IsNaN(x)));

            // appended as well: the same step over the cache that it left
            Tensor again = half.Poisoned([count, heads, dim]);
            Tensor turned = half.From([.. queries.Select(x => (float)x)], [count, heads, dim]);
            Assert.True(new FlashAttention(half.Context).TryPaged(turned, (nint)paged.Cache.Data, kvHeads, paged.Batch, options, again));
            half.Close(again, [.. HalfTensors.Values(y.Slice(0, 0, count)).Select(x => (double)x)]);
        }
    }

    [Theory, MemberData(nameof(Heads))]
    public unsafe void Prompts_chunks_and_single_tokens_in_one_batch(int dim, int heads, int kvHeads, DType dtype)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(dtype);
        var paged = new PagedCase(half, [1, 37, 200, 0, 5, 1], [0, 100, 0, 0, 130, 300], kvHeads, dim, newestIsMissing: false);
        int tokens = paged.Starts[^1];
        Tensor q = half.Random([tokens, heads + 2, dim], 3).Slice(1, 0, heads);
        double[] queries = [.. HalfTensors.Values(q.Contiguous()).Select(x => (double)x)];
        int[] ends = [.. paged.Positions.Select((p, i) => Math.Min(paged.Lengths[Sequence(paged, i)], (p + 64) / 64 * 64))];
        int[] starts = [.. ends.Select((end, i) => i % 7 == 3 ? end : Math.Max(0, end - 75 - (i % 3)))]; // some rows see nothing
        foreach (AttentionOptions options in new AttentionOptions[] { new(), new() { Window = 50 }, new() { Causal = false }, new() { SoftCap = 15, Scale = 0.2f } })
        {
            foreach ((int[]? from, int[]? to) in new[] { (null, null), (null, ends), (starts, ends) })
            {
                PagedBatch batch = WithRange(paged.Batch, from is null ? null : half.Ints(from), to is null ? null : half.Ints(to));
                Tensor y = half.Poisoned([tokens + 1, heads, dim]);
                Assert.True(new FlashAttention(half.Context).TryPaged(q, (nint)paged.Cache.Data, kvHeads, batch, options, y.Slice(0, 0, tokens)));
                half.Close(y.Slice(0, 0, tokens), Expected(paged, queries, heads, kvHeads, dim, options, null, from, to));
                Assert.All(HalfTensors.Values(y.Slice(0, tokens)), x => Assert.True(float.IsNaN(x)));
            }
        }
    }

    [Theory, MemberData(nameof(Heads))]
    public unsafe void Single_tokens_in_front_of_chunks_go_a_way_of_their_own(int dim, int heads, int kvHeads, DType dtype)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(dtype);
        int[] queries = [1, 1, 1, 1, 1, 200, 37, 1];
        int[] prefixes = [100, 0, 333, 17, 64, 50, 0, 20];
        int tokens = queries.Sum();
        Tensor qkv = half.Random([tokens, (heads + (2 * kvHeads)) * dim], 3);
        var table = new RopeTable(half.Floats([400, dim / 2], 7), half.Floats([400, dim / 2], 8));
        (float[] together, float[] kept) = Attend(singles: 0);
        (float[] apart, float[] keptApart) = Attend(singles: 5);
        (float[] some, _) = Attend(singles: 4);
        half.Close(Tensor.From(apart, [tokens, heads, dim]), [.. together.Select(x => (double)x)]);
        half.Close(Tensor.From(some, [tokens, heads, dim]), [.. together.Select(x => (double)x)]);
        Assert.Equal(together[(5 * heads * dim)..], apart[(5 * heads * dim)..]); // chunks have the same bits
        Assert.NotEqual(together, apart);
        half.Close(Tensor.From(keptApart, [keptApart.Length]), [.. kept.Select(x => (double)x)]);

        (float[] Rows, float[] Kept) Attend(int singles)
        {
            var paged = new PagedCase(half, queries, prefixes, kvHeads, dim, newestIsMissing: false);
            using var kv = new PagedKv(paged.Cache.Shape[0], kvHeads, dim, dtype, half.Device);
            half.Context.Bind();
            CudaCall.Check(CudaDriver.cuMemcpyDtoDAsync_v2((nint)kv.Data, (nint)paged.Cache.Data, (nuint)paged.Cache.Bytes, half.Context.Stream.Handle));
            PagedBatch batch = new()
            {
                QueryStarts = paged.Batch.QueryStarts,
                SequenceLengths = paged.Batch.SequenceLengths,
                BlockTables = paged.Batch.BlockTables,
                SlotMapping = paged.Batch.SlotMapping,
                Positions = paged.Batch.Positions,
                MaxQueries = paged.Batch.MaxQueries,
                LeadingSingles = singles,
            };
            Tensor y = Ops.RopePagedAttention(qkv.Clone(), heads, table, kv, batch, new());
            Tensor cache = paged.Cache.Clone();
            CudaCall.Check(CudaDriver.cuMemcpyDtoDAsync_v2((nint)cache.Data, (nint)kv.Data, (nuint)cache.Bytes, half.Context.Stream.Handle));
            return (HalfTensors.Values(y), [.. HalfTensors.Values(cache).Select(x => float.IsNaN(x) ? -1 : x)]);
        }
    }

    [Theory]
    [InlineData(2, 577, 577, 1, 1, 64, false)]
    [InlineData(3, 130, 130, 2, 1, 64, true)]
    [InlineData(1, 257, 257, 2, 2, 88, false)]
    [InlineData(1, 5, 300, 4, 2, 128, false)]
    public void Attention_of_tensors(int batch, int queries, int keys, int heads, int kvHeads, int dim, bool causal)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(DType.BF16);
        Tensor q = half.Random([batch, queries, heads, dim], 1).Transpose(1, 2);
        Tensor kv = half.Random([batch, keys, 2, kvHeads, dim], 2).Permute(2, 0, 3, 1, 4);
        Tensor y = half.Poisoned([batch, queries, heads, dim]).Transpose(1, 2);
        Assert.True(new FlashAttention(half.Context).TryDense(q, kv.Select(0, 0), kv.Select(0, 1), new AttentionOptions { Causal = causal }, y));
        float[][] qs = HalfTensors.Rows(HalfTensors.Values(q.Contiguous()), dim);
        float[][] ks = HalfTensors.Rows(HalfTensors.Values(kv.Select(0, 0).Contiguous()), dim);
        float[][] vs = HalfTensors.Rows(HalfTensors.Values(kv.Select(0, 1).Contiguous()), dim);
        var expected = new List<double>();
        for (int row = 0; row < batch * heads * queries; row++)
        {
            int head = row / queries % heads;
            int first = ((row / queries / heads * kvHeads) + (head / (heads / kvHeads))) * keys;
            int query = row % queries;
            expected.AddRange(Reference.Attend(qs[row], ks[first..(first + keys)], vs[first..(first + keys)], 1 / Math.Sqrt(dim), j => causal && j > query ? null : 0));
        }

        half.Close(y.Contiguous(), expected.ToArray());
    }

    // One token through every attention kernel of a size.
    private static unsafe void Touch(int dim, DType dtype)
    {
        using var scope = new TensorScope();
        var half = new HalfTensors(dtype);
        var paged = new PagedCase(half, [1], [0], 1, dim, newestIsMissing: true);
        Tensor x = half.Random([1, 1, dim]);
        foreach (AttentionOptions options in new AttentionOptions[] { new(), new() { SoftCap = 1 } })
        {
            new DecodeAttention(half.Context).TryRun(x, x, x, null, (nint)paged.Cache.Data, paged.Batch, options, half.Poisoned([1, 1, dim]));
            new FlashAttention(half.Context).TryPaged(x, (nint)paged.Cache.Data, 1, paged.Batch, options, half.Poisoned([1, 1, dim]));
        }
    }

    private static int Sequence(PagedCase paged, int token) => Array.FindLastIndex(paged.Starts[..^1], start => start <= token);

    private static PagedBatch WithRange(PagedBatch batch, Tensor? starts, Tensor? ends) => new()
    {
        QueryStarts = batch.QueryStarts,
        SequenceLengths = batch.SequenceLengths,
        BlockTables = batch.BlockTables,
        SlotMapping = batch.SlotMapping,
        Positions = batch.Positions,
        VisibleStarts = starts,
        VisibleEnds = ends,
        MaxQueries = batch.MaxQueries,
    };

    // Row by row in float64; newest gives keys and values that are not in the cache.
    private static double[] Expected(PagedCase paged, double[] queries, int heads, int kvHeads, int dim, AttentionOptions options,
        Func<int, int, int, bool, double>? newest, int[]? starts = null, int[]? ends = null)
    {
        double scale = options.Scale ?? 1 / Math.Sqrt(dim);
        var kept = new Dictionary<(int, int, bool), float[][]>();
        var expected = new double[queries.Length];
        foreach ((int s, int head, bool isValue) in from s in Enumerable.Range(0, paged.Lengths.Length)
                                                    from head in Enumerable.Range(0, kvHeads)
                                                    from isValue in new[] { false, true }
                                                    select (s, head, isValue))
        {
            kept[(s, head, isValue)] = paged.Rows(s, head, isValue, newest is null ? null : d => newest(s, head, d, isValue));
        }

        Parallel.For(0, queries.Length / dim, row =>
        {
            (int token, int head) = Math.DivRem(row, heads);
            int sequence = Sequence(paged, token);
            int own = head / (heads / kvHeads);
            int position = paged.Positions[token];
            int end = ends is not null ? ends[token] : options.Causal ? position + 1 : int.MaxValue;
            int first = Math.Max(options.Window is { } window ? position - window + 1 : 0, starts?[token] ?? 0);
            float[] q = Array.ConvertAll(queries[(row * dim)..((row + 1) * dim)], x => (float)(x * scale));
            Attend(q, kept[(sequence, own, false)], kept[(sequence, own, true)], first, end, options.SoftCap).CopyTo(expected, row * dim);
        });
        return expected;
    }

    private static double[] Attend(float[] q, float[][] keys, float[][] values, int first, int end, float? cap)
    {
        double[] scores = [.. keys.Select(k =>
        {
            double dot = 0;
            for (int d = 0; d < q.Length; d++)
            {
                dot += (double)q[d] * k[d];
            }

            return cap is { } c ? c * Math.Tanh(dot / c) : dot;
        })];
        var y = new double[q.Length];
        double total = 0;
        for (int j = Math.Max(0, first); j < Math.Min(end, keys.Length); j++)
        {
            double weight = Math.Exp(scores[j]);
            total += weight;
            for (int d = 0; d < y.Length; d++)
            {
                y[d] += weight * values[j][d];
            }
        }

        return [.. y.Select(v => total > 0 ? v / total : 0)];
    }
}
