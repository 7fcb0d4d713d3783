namespace MmCluster.Tensors.Cuda;

// A decoder layer's operations in the kernels for 16-bit elements, where they fit. Deterministic, a row's sums may not depend on how many rows there are:
// then products are cuBLASLt's, and one attention kernel serves prompts and single tokens.
internal sealed unsafe partial class CudaBackend
{
    // From timings on an H200: 64 beside a chunk of 960 gain 13 %, 8 gain 2 %; fewer are done by blocks that the chunk leaves idle.
    private const int LeastSingles = 4;

    private readonly Gemv _gemv;
    private readonly RowNorms _norms;
    private readonly GatedActivations _gates;
    private readonly DecodeAttention _decode;
    private readonly FlashAttention _flash;
    private readonly RopeAppend _ropeAppend;

    public void RmsNormLinear(Tensor x, Tensor norm, float eps, IDisposable weight, Tensor? bias, Tensor y)
    {
        if (!TryGemv(x, (CudaMatrix)weight, new GemvOptions { Gain = norm, Eps = eps, Bias = bias }, y))
        {
            using Tensor normed = Tensor.Empty(x.Shape, x.DType, x.Device);
            RmsNorm(x, norm, normed, eps);
            Linear(normed, weight, bias, Activation.None, y);
        }
    }

    public void RmsNormGatedLinear(Tensor x, Tensor norm, float eps, IDisposable gateUp, Tensor? bias, Activation activation, Tensor y)
    {
        if (TryGemv(x, (CudaMatrix)gateUp, new GemvOptions { Gain = norm, Eps = eps, Bias = bias, Gated = true, Activation = activation }, y))
        {
            return;
        }

        int width = y.Shape[^1];
        using Tensor both = Tensor.Empty(y.Shape.With(-1, 2 * width), y.DType, y.Device);
        RmsNormLinear(x, norm, eps, gateUp, bias, both);
        using Tensor gate = both.Slice(-1, 0, width);
        using Tensor up = both.Slice(-1, width);
        if (!_gates.TryGated(gate, up, activation, y))
        {
            Ops.GatedMul(gate, up, activation, y);
        }
    }

    public void RopePagedAttention(Tensor qkv, int heads, RopeTable? rope, PagedKv kv, PagedBatch batch, in AttentionOptions options, Tensor y)
    {
        using Tensor q = qkv.Slice(1, 0, heads);
        using Tensor k = qkv.Slice(1, heads, heads + kv.KvHeads);
        using Tensor v = qkv.Slice(1, heads + kv.KvHeads);
        if (!_context.Deterministic && kv.DType == qkv.DType
            && (_decode.TryRun(q, k, v, rope, (nint)kv.Data, batch, options, y) || TryInTwo(q, k, v, rope, kv, batch, options, y)))
        {
            return;
        }

        Append(q, k, v, rope, kv, batch);
        PagedAttention(q, kv, batch, options, y);
    }

    // A step of prompts' chunks beside sequences of one token: those go the way of a decode step, for a block of many queries would hold one of theirs.
    private bool TryInTwo(Tensor q, Tensor k, Tensor v, RopeTable? rope, PagedKv kv, PagedBatch batch, in AttentionOptions options, Tensor y)
    {
        int singles = batch.LeadingSingles;
        if (singles < LeastSingles || batch.VisibleEnds is not null || batch.VisibleStarts is not null || !_flash.Fits(q, batch, options, y))
        {
            return false;
        }

        using var scope = new TensorScope(recycle: true);
        if (!_decode.TryRun(
            q.Slice(0, 0, singles), k.Slice(0, 0, singles), v.Slice(0, 0, singles), rope, (nint)kv.Data, batch.Singles(), options, y.Slice(0, 0, singles)))
        {
            return false;
        }

        PagedBatch chunks = batch.BehindSingles();
        Append(q.Slice(0, singles), k.Slice(0, singles), v.Slice(0, singles), rope, kv, chunks);
        PagedAttention(q, kv, chunks, options, y);
        return true;
    }

    // Turns queries and keys and puts keys and values into the cache.
    private void Append(Tensor q, Tensor k, Tensor v, RopeTable? rope, PagedKv kv, PagedBatch batch)
    {
        if (rope is not null)
        {
            Rope(q, q, k, v, rope, batch.Positions, kv, batch.SlotMapping);
        }
        else
        {
            Append(k, v, kv, batch.SlotMapping);
        }
    }

    private bool TryGemv(Tensor x, CudaMatrix w, in GemvOptions options, Tensor y) =>
        !_context.Deterministic && _gemv.TryRun(x, w, options, y);
}
