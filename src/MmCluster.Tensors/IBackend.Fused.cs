namespace MmCluster.Tensors;

// Fused operations. What a backend does not fuse is composed of the others.
internal partial interface IBackend
{
    /// <summary>y = rms_norm(x) Wᵀ + bias. Even rows, dense norm (F32 [K]).</summary>
    void RmsNormLinear(Tensor x, Tensor norm, float eps, IDisposable weight, Tensor? bias, Tensor y)
    {
        using Tensor normed = Tensor.Empty(x.Shape, x.DType, x.Device);
        RmsNorm(x, norm, normed, eps);
        Linear(normed, weight, bias, Activation.None, y);
    }

    /// <summary>y [M, N / 2] = act(gate) up, where gate and up are the halves of rms_norm(x) Wᵀ + bias [M, N]. Even rows.</summary>
    void RmsNormGatedLinear(Tensor x, Tensor norm, float eps, IDisposable gateUp, Tensor? bias, Activation activation, Tensor y)
    {
        int width = y.Shape[^1];
        using Tensor both = Tensor.Empty(y.Shape.With(-1, 2 * width), y.DType, y.Device);
        RmsNormLinear(x, norm, eps, gateUp, bias, both);
        using Tensor gate = both.Slice(-1, 0, width);
        using Tensor up = both.Slice(-1, width);
        Ops.GatedMul(gate, up, activation, y);
    }

    /// <summary>residual += x Wᵀ + bias. Even rows.</summary>
    void LinearAdd(Tensor x, IDisposable weight, Tensor? bias, Tensor residual)
    {
        using Tensor y = Tensor.Empty(residual.Shape, residual.DType, residual.Device);
        Linear(x, weight, bias, Activation.None, y);
        Binary(BinaryOperation.Add, residual, y, residual);
    }

    /// <summary>
    /// Cuts qkv [T, heads + 2 Hkv, D] (even rows, may be overwritten) into q, k and v, turns q and k, puts k and v into the batch's slots, then attends:
    /// y [T, heads, D]. Without a table nothing turns.
    /// </summary>
    void RopePagedAttention(Tensor qkv, int heads, RopeTable? rope, PagedKv kv, PagedBatch batch, in AttentionOptions options, Tensor y)
    {
        using Tensor q = qkv.Slice(1, 0, heads);
        using Tensor k = qkv.Slice(1, heads, heads + kv.KvHeads);
        using Tensor v = qkv.Slice(1, heads + kv.KvHeads);
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
}
