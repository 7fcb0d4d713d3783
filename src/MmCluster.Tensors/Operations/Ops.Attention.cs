namespace MmCluster.Tensors;

// Attention.
public static partial class Ops
{
    /// <summary>
    /// softmax(q kᵀ scale + bias) v, with grouped heads: head h of q uses head h / (H / Hkv) of k and v. A query that sees nothing gives zeros.
    /// </summary>
    /// <param name="q">[B, H, Lq, D]</param>
    /// <param name="k">[B, Hkv, Lk, D]</param>
    /// <param name="v">[B, Hkv, Lk, Dv]</param>
    /// <param name="mask">Bool, broadcast to [B, H, Lq, Lk], true where visible; or null.</param>
    /// <param name="bias">F32, broadcast to [B, H, Lq, Lk], added to the scores; or null.</param>
    /// <param name="causal">Whether query i sees keys 0..i only.</param>
    /// <param name="scale">1 / √D when null.</param>
    /// <param name="output">[B, H, Lq, Dv] of any strides with a dense last axis; or null.</param>
    /// <exception cref="ArgumentException">Shapes do not fit.</exception>
    public static Tensor ScaledDotProductAttention(
        Tensor q, Tensor k, Tensor v, Tensor? mask = null, Tensor? bias = null, bool causal = false, float? scale = null, Tensor? output = null)
    {
        if (q.Rank != 4 || k.Rank != 4 || v.Rank != 4 || q.Shape[0] != k.Shape[0] || k.Shape[0] != v.Shape[0] || q.Shape[3] != k.Shape[3]
            || k.Shape[2] != v.Shape[2] || k.Shape[1] != v.Shape[1] || k.Shape[1] == 0 || q.Shape[1] % k.Shape[1] != 0)
        {
            throw new ArgumentException(
                $"attention: expected q [B, H, Lq, D], k [B, Hkv, Lk, D], v [B, Hkv, Lk, Dv] with H a multiple of Hkv, got {q.Shape}, {k.Shape}, {v.Shape}");
        }

        foreach (Tensor? other in (ReadOnlySpan<Tensor?>)[k, v, mask, bias])
        {
            CheckDevice("attention", q.Device, other);
        }

        Shape scores = [q.Shape[0], q.Shape[1], q.Shape[2], k.Shape[2]];
        if ((mask is not null && mask.DType != DType.Bool) || (bias is not null && bias.DType != DType.F32))
        {
            throw new ArgumentException($"attention: expected a Bool mask and an F32 bias, got {mask?.DType} and {bias?.DType}");
        }

        using Tensor qs = DenseLast("attention", q);
        using Tensor ks = DenseLast("attention", k);
        using Tensor vs = DenseLast("attention", v);
        using Tensor? masks = mask?.Expand(scores);
        using Tensor? biases = bias?.Expand(scores);
        output = AttentionOutput(output, q.Shape.With(-1, v.Shape[3]), qs, vs);
        var options = new AttentionOptions { Causal = causal, Scale = scale };
        q.Device.Backend.Attention(qs, ks, vs, options, masks, biases, output);
        return output;
    }

    /// <summary>
    /// Attention of a ragged batch over the blocks of <paramref name="kv"/>, into which this step's keys and values have been put already. Each row's
    /// result depends on its own sequence only, bit for bit.
    /// </summary>
    /// <param name="q">[T, H, D]; a view of a fused projection will do.</param>
    /// <param name="kv">Keys and values of this layer.</param>
    /// <param name="batch">Which sequences.</param>
    /// <param name="options">Scale, causality, window.</param>
    /// <param name="output">[T, H, D] or null.</param>
    /// <exception cref="ArgumentException">Shapes do not fit, or the batch names blocks or lengths that there are not.</exception>
    public static Tensor PagedAttention(Tensor q, PagedKv kv, PagedBatch batch, in AttentionOptions options, Tensor? output = null)
    {
        if (q.Rank != 3 || q.Shape[2] != kv.HeadDim || q.Shape[1] % kv.KvHeads != 0)
        {
            throw new ArgumentException($"paged attention: expected q [T, {kv.KvHeads} n, {kv.HeadDim}], got {q.Shape}");
        }

        CheckOptions(options, q.Shape[1]);
        CheckBatch(kv, batch, q.Shape[0], options.Causal);
        using Tensor rows = DenseLast("paged attention", q);
        output = AttentionOutput(output, q.Shape, rows, rows);
        q.Device.Backend.PagedAttention(rows, kv, batch, options, output);
        return output;
    }

    /// <summary>Turns q in place, turns k, and puts k and v into the slots of the batch.</summary>
    /// <param name="q">[T, H, D] with a dense last axis, written in place; a view of a fused projection will do.</param>
    /// <param name="k">[T, Hkv, D]; not changed.</param>
    /// <param name="v">[T, Hkv, D]</param>
    /// <param name="table">Cosines and sines for the positions of the batch.</param>
    /// <param name="kv">Where keys and values go.</param>
    /// <param name="batch">Positions and slots.</param>
    /// <exception cref="ArgumentException">Shapes do not fit, or a position or slot that there is not.</exception>
    public static void RopeAndAppend(Tensor q, Tensor k, Tensor v, RopeTable table, PagedKv kv, PagedBatch batch)
    {
        CheckHeads("rope", q, q.Shape[0], q.Rank == 3 ? q.Shape[1] : 0, kv.HeadDim);
        CheckHeads("rope", k, q.Shape[0], kv.KvHeads, kv.HeadDim);
        CheckHeads("rope", v, q.Shape[0], kv.KvHeads, kv.HeadDim);
        CheckWritable("rope", q);
        CheckTable(table, kv.HeadDim);
        CheckDevice("rope", q.Device, batch.Positions);
        CheckIds("rope positions", batch.Positions, q.Shape[0], 0, table.Positions);
        CheckIds("rope slots", batch.SlotMapping, q.Shape[0], int.MinValue, kv.BlockCount * (long)PagedKv.BlockSize);
        q.Device.Backend.Rope(q, q, k, v, table, batch.Positions, kv, batch.SlotMapping);
    }

    /// <summary>Puts k and v [T, Hkv, D] into the slots of the batch, as they are.</summary>
    /// <exception cref="ArgumentException">Shapes do not fit, or a slot that there is not.</exception>
    public static void Append(Tensor k, Tensor v, PagedKv kv, PagedBatch batch)
    {
        CheckHeads("append", k, k.Shape[0], kv.KvHeads, kv.HeadDim);
        CheckHeads("append", v, k.Shape[0], kv.KvHeads, kv.HeadDim);
        CheckIds("append slots", batch.SlotMapping, k.Shape[0], int.MinValue, kv.BlockCount * (long)PagedKv.BlockSize);
        k.Device.Backend.Append(k, v, kv, batch.SlotMapping);
    }

    /// <summary>Turns x [T, H, D] by the table's rows at <paramref name="positions"/> (I32 [T]).</summary>
    /// <param name="x">Floats (F32 on the processor) with a dense last axis.</param>
    /// <param name="table">Cosines and sines.</param>
    /// <param name="positions">Row of the table for each token.</param>
    /// <param name="output">[T, H, D], may be x; or null.</param>
    /// <exception cref="ArgumentException">Shapes do not fit, or a position that there is not.</exception>
    public static Tensor Rope(Tensor x, RopeTable table, Tensor positions, Tensor? output = null)
    {
        CheckHeads("rope", x, x.Shape[0], x.Rank == 3 ? x.Shape[1] : 0, x.Shape[^1]);
        CheckTable(table, x.Shape[2]);
        CheckIds("rope positions", positions, x.Shape[0], 0, table.Positions);
        output = AttentionOutput(output, x.Shape, null, x);
        x.Device.Backend.Rope(x, output, null, null, table, positions, null, null);
        return output;
    }

    private static void CheckOptions(in AttentionOptions options, int heads)
    {
        if (options.AlibiSlopes is { } slopes && (slopes.DType != DType.F32 || slopes.Shape != [heads] || !slopes.IsContiguous))
        {
            throw new ArgumentException($"paged attention: slopes must be dense F32 [{heads}], got {slopes}");
        }

        if (options.DistanceBias is { } distances
            && (distances.DType != DType.F32 || distances.Rank != 2 || distances.Shape[0] != heads || distances.Shape[1] == 0 || !distances.IsContiguous))
        {
            throw new ArgumentException($"paged attention: distance bias must be dense F32 [{heads}, distances], got {distances}");
        }
    }

    private static Tensor AttentionOutput(Tensor? output, in Shape shape, Tensor? q, Tensor other)
    {
        output = Output("attention", output, shape, (q ?? other).DType, other.Device, null);
        if (q is not null && (q.SharesMemoryWith(output) || other.SharesMemoryWith(output)))
        {
            throw new ArgumentException("attention: the output shares memory with an input");
        }

        return output.Shape[^1] <= 1 || output.Stride(-1) == 1
            ? output
            : throw new ArgumentException($"attention: the output's last axis must be dense, got {output}");
    }

    // Floats with a dense last axis: a view where it is that already.
    private static Tensor DenseLast(string operation, Tensor x) =>
        x.DType != FloatType(x) ? ToFloat(operation, x)
        : x.Shape[^1] <= 1 || x.Stride(-1) == 1 ? x.View(x.Shape, x.StridesCopy(), x.Offset)
        : x.Clone();

    private static void CheckHeads(string operation, Tensor x, int tokens, int heads, int headDim)
    {
        if (x.Rank != 3 || x.Shape[0] != tokens || x.Shape[1] != heads || x.Shape[2] != headDim || x.DType != FloatType(x)
            || (x.Shape[2] > 1 && x.Stride(2) != 1))
        {
            throw new ArgumentException($"{operation}: expected {FloatType(x)} [{tokens}, {heads}, {headDim}] with a dense last axis, got {x}");
        }
    }

    private static void CheckTable(RopeTable table, int headDim)
    {
        if (table.RotaryDim > headDim)
        {
            throw new ArgumentException($"rope: the table turns {table.RotaryDim} dimensions, a head has {headDim}");
        }
    }

    private static void CheckIds(string name, Tensor ids, int count, long least, long limit)
    {
        CheckInts(name, ids, [count]);
        if (!ids.Device.IsCpu)
        {
            return; // whoever filled the batch has checked it
        }

        ReadOnlySpan<int> values = ids.AsReadOnlySpan<int>();
        foreach (int value in values)
        {
            if (value < least || value >= limit)
            {
                throw new ArgumentException($"{name}: {value} is not below {limit}");
            }
        }
    }

    private static void CheckInts(string name, Tensor x, Shape shape)
    {
        if (x.DType != DType.I32 || x.Shape != shape || !x.IsContiguous)
        {
            throw new ArgumentException($"{name}: expected dense I32 {shape}, got {x}");
        }
    }

    private static void CheckBatch(PagedKv kv, PagedBatch batch, int tokens, bool causal)
    {
        CheckBatchValues(kv, batch, tokens, causal);
        foreach (Tensor? part in (ReadOnlySpan<Tensor?>)[batch.QueryStarts, batch.SequenceLengths, batch.BlockTables, batch.VisibleEnds, batch.VisibleStarts])
        {
            CheckDevice("paged batch", kv.Device, part);
        }
    }

    private static void CheckBatchValues(PagedKv kv, PagedBatch batch, int tokens, bool causal)
    {
        int sequences = batch.SequenceLengths.Rank == 1 ? batch.SequenceLengths.Shape[0] : -1;
        if (sequences < 0 || batch.BlockTables.Rank != 2)
        {
            throw new ArgumentException($"paged batch: expected lengths [S] and tables [S, blocks], got {batch.SequenceLengths}, {batch.BlockTables}");
        }

        int width = batch.BlockTables.Shape[1];
        CheckInts("paged batch query starts", batch.QueryStarts, [sequences + 1]);
        CheckInts("paged batch sequence lengths", batch.SequenceLengths, [sequences]);
        CheckInts("paged batch block tables", batch.BlockTables, [sequences, width]);
        if (batch.VisibleEnds is { } ends)
        {
            CheckInts("paged batch visible ends", ends, [tokens]);
        }

        if (batch.VisibleStarts is { } firsts)
        {
            CheckIds("paged batch visible starts", firsts, tokens, 0, int.MaxValue);
        }

        if (!batch.QueryStarts.Device.IsCpu)
        {
            return; // whoever filled the batch has checked its numbers
        }

        ReadOnlySpan<int> starts = batch.QueryStarts.AsReadOnlySpan<int>();
        ReadOnlySpan<int> lengths = batch.SequenceLengths.AsReadOnlySpan<int>();
        ReadOnlySpan<int> tables = batch.BlockTables.AsReadOnlySpan<int>();

        if (starts[0] != 0 || starts[^1] != tokens)
        {
            throw new ArgumentException($"paged batch: query starts go from {starts[0]} to {starts[^1]}, q has {tokens} tokens");
        }

        for (int s = 0; s < sequences; s++)
        {
            int queries = starts[s + 1] - starts[s];
            int blocks = (lengths[s] + PagedKv.BlockSize - 1) / PagedKv.BlockSize;
            if (queries < 0 || lengths[s] < (causal ? queries : 0) || blocks > width)
            {
                throw new ArgumentException($"paged batch: sequence {s} has length {lengths[s]}, {queries} queries and {width} blocks");
            }

            foreach (int block in tables.Slice(s * width, blocks))
            {
                if ((uint)block >= (uint)kv.BlockCount)
                {
                    throw new ArgumentException($"paged batch: sequence {s} names block {block}, there are {kv.BlockCount}");
                }
            }
        }
    }
}
