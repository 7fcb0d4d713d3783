namespace MmCluster.Tensors.Cuda;

// Attention over tensors and over blocks, and what fills the blocks.
internal sealed unsafe partial class CudaBackend
{
    private const int AttentionThreads = 128;
    private const int AttentionWarps = AttentionThreads / 32;

    private readonly PairKernels _attention;
    private readonly PairKernels _rope;

    public void Attention(Tensor q, Tensor k, Tensor v, in AttentionOptions options, Tensor? mask, Tensor? bias, Tensor y)
    {
        using Tensor keys = k.To(q.DType);
        using Tensor values = v.To(q.DType);
        if (mask is null && bias is null && _flash.TryDense(q, keys, values, options, y))
        {
            return;
        }

        CudaAttention a = CudaAttention.Of(options, k.Shape[3]);
        (a.Q, a.QSequence, a.QHead, a.QToken) = ((nint)q.Data, q.Stride(0), q.Stride(1), q.Stride(2));
        (a.Y, a.YSequence, a.YHead, a.YToken) = ((nint)y.Data, y.Stride(0), y.Stride(1), y.Stride(2));
        (a.K, a.KSequence, a.KHead, a.KToken) = ((nint)keys.Data, keys.Stride(0), keys.Stride(1), keys.Stride(2));
        (a.V, a.VSequence, a.VHead, a.VToken) = ((nint)values.Data, values.Stride(0), values.Stride(1), values.Stride(2));
        (a.Sequences, a.Heads, a.QueryLength) = (q.Shape[0], q.Shape[1], q.Shape[2]);
        (a.KvHeads, a.KeyLength, a.KeyDim, a.ValueDim) = (k.Shape[1], k.Shape[2], k.Shape[3], v.Shape[3]);
        if (mask is not null)
        {
            a.Mask = (nint)mask.Data;
            a.MaskStrides = FourStrides.Of(mask);
        }

        if (bias is not null)
        {
            a.Bias = (nint)bias.Data;
            a.BiasStrides = FourStrides.Of(bias);
        }

        Run(a, q.DType, q.DType, (long)q.Shape[0] * q.Shape[2]);
    }

    public void PagedAttention(Tensor q, PagedKv kv, PagedBatch batch, in AttentionOptions options, Tensor y)
    {
        if (kv.DType == q.DType && _flash.TryPaged(q, (nint)kv.Data, kv.KvHeads, batch, options, y))
        {
            return;
        }

        CudaAttention a = CudaAttention.Of(options, kv.HeadDim);
        (a.Q, a.QToken, a.QHead) = ((nint)q.Data, q.Stride(0), q.Stride(1));
        (a.Y, a.YToken, a.YHead) = ((nint)y.Data, y.Stride(0), y.Stride(1));
        a.K = (nint)kv.Data;
        a.QueryStarts = (nint)batch.QueryStarts.Data;
        a.SequenceLengths = (nint)batch.SequenceLengths.Data;
        a.BlockTables = (nint)batch.BlockTables.Data;
        a.TableWidth = batch.BlockTables.Shape[1];
        a.VisibleEnds = batch.VisibleEnds is { } ends ? (nint)ends.Data : 0;
        a.VisibleStarts = batch.VisibleStarts is { } firsts ? (nint)firsts.Data : 0;
        a.Sequences = batch.SequenceLengths.Shape[0];
        (a.Heads, a.KvHeads, a.KeyDim, a.ValueDim) = (q.Shape[1], kv.KvHeads, kv.HeadDim, kv.HeadDim);
        a.QueriesAreLast = 1;
        Run(a, q.DType, kv.DType, q.Shape[0]);
    }

    public void Rope(Tensor q, Tensor qOut, Tensor? k, Tensor? v, RopeTable? table, Tensor? positions, PagedKv? kv, Tensor? slots) =>
        Rope(q, qOut, k, v, table, positions, kv, slots, q.Shape[1]);

    public void Append(Tensor k, Tensor v, PagedKv kv, Tensor slots) => Rope(k, k, k, v, null, null, kv, slots, heads: 0);

    private void Rope(Tensor q, Tensor qOut, Tensor? k, Tensor? v, RopeTable? table, Tensor? positions, PagedKv? kv, Tensor? slots, int heads)
    {
        bool turns = heads > 0;
        if ((kv is null || kv.DType == q.DType)
            && _ropeAppend.TryRun(turns ? q : null, turns ? qOut : null, k, v, table, positions, kv is null ? 0 : (nint)kv.Data, slots))
        {
            return;
        }

        HeadStrides from = HeadStrides.Of(q), to = HeadStrides.Of(qOut), keys = HeadStrides.Of(k), values = HeadStrides.Of(v);
        int dim = q.Shape[2];
        int kvHeads = k is null ? 0 : kv!.KvHeads;
        _rope[q.DType, kv?.DType ?? q.DType].Launch(
            Stream, (q.Shape[0], heads + kvHeads), Math.Clamp((dim + 31) / 32 * 32, 32, 256), dim * sizeof(float),
            q, KernelArgument.In(&from), qOut, KernelArgument.In(&to), k, KernelArgument.In(&keys), v, KernelArgument.In(&values),
            kv is null ? 0 : (nint)kv.Data, slots, table?.Cos, table?.Sin, positions, heads, kvHeads, dim, (table?.RotaryDim ?? 0) / 2,
            table is { Interleaved: true } ? 1 : 0);
    }

    private void Run(CudaAttention a, DType rows, DType kept, long tokens)
    {
        int shared = (a.KeyDim + (AttentionWarps * (a.ValueDim + 2))) * sizeof(float);
        _attention[rows, kept].Launch(
            Stream, new LaunchShape(new Dim3(checked((uint)tokens), (uint)a.Heads), AttentionThreads, shared), KernelArgument.In(&a));
    }

    // Elements between tokens and between heads.
    private struct HeadStrides
    {
        internal long Token;
        internal long Head;

        internal static HeadStrides Of(Tensor? x) => x is null ? default : new HeadStrides { Token = x.Stride(0), Head = x.Stride(1) };
    }
}

/// <summary>The parameter of attention.cu's kernels, field by field.</summary>
internal struct CudaAttention
{
    internal nint Q;
    internal long QSequence, QToken, QHead;
    internal nint Y;
    internal long YSequence, YToken, YHead;
    internal nint K;
    internal long KSequence, KToken, KHead;
    internal nint V;
    internal long VSequence, VToken, VHead;
    internal nint QueryStarts, SequenceLengths, BlockTables, VisibleEnds, VisibleStarts, Alibi, DistanceBias;
    internal nint Mask;
    internal FourStrides MaskStrides;
    internal nint Bias;
    internal FourStrides BiasStrides;
    internal int Heads, KvHeads, KeyDim, ValueDim, Sequences, QueryLength, KeyLength, TableWidth, Distances, Window, Causal, QueriesAreLast;
    internal float Scale, SoftCap;

    internal static unsafe CudaAttention Of(in AttentionOptions options, int keyDim) => new()
    {
        Scale = options.Scale ?? 1f / MathF.Sqrt(keyDim),
        SoftCap = options.SoftCap ?? 0,
        Window = options.Window ?? int.MaxValue,
        Causal = options.Causal ? 1 : 0,
        Alibi = options.AlibiSlopes is { } slopes ? (nint)slopes.Data : 0,
        DistanceBias = options.DistanceBias is { } distances ? (nint)distances.Data : 0,
        Distances = options.DistanceBias?.Shape[1] ?? 0,
    };
}

/// <summary>Strides of [sequence, head, query, key].</summary>
internal struct FourStrides
{
    internal long Sequence, Head, Query, Key;

    internal static FourStrides Of(Tensor x) => new() { Sequence = x.Stride(0), Head = x.Stride(1), Query = x.Stride(2), Key = x.Stride(3) };
}
