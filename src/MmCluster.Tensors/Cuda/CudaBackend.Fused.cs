namespace MmCluster.Tensors.Cuda;

// A decoder layer's operations in the kernels for 16-bit elements, where they fit. Deterministic, a row's sums may not depend on how many rows there are:
// then products are cuBLASLt's, and one attention kernel serves prompts and single tokens.
internal sealed unsafe partial class CudaBackend
{
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
        if (!_context.Deterministic && kv.DType == qkv.DType && _decode.TryRun(q, k, v, rope, (nint)kv.Data, batch, options, y))
        {
            return;
        }

        if (rope is not null)
        {
            Rope(q, q, k, v, rope, batch.Positions, kv, batch.SlotMapping);
        }
        else
        {
            Append(k, v, kv, batch.SlotMapping);
        }

        PagedAttention(q, kv, batch, options, y);
    }

    private bool TryGemv(Tensor x, CudaMatrix w, in GemvOptions options, Tensor y) =>
        !_context.Deterministic && _gemv.TryRun(x, w, options, y);
}
