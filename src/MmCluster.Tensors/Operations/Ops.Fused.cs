using MmCluster.Tensors.Cpu;

namespace MmCluster.Tensors;

// What a decoder layer is made of, one operation for each arrow of its diagram: a backend may do each in one kernel.
public static partial class Ops
{
    /// <summary>rms_norm(x) Wᵀ + bias along the last axis.</summary>
    /// <param name="x">[…, K]</param>
    /// <param name="norm">F32 [K]</param>
    /// <param name="eps">Keeps the norm's root from 0.</param>
    /// <param name="weight">[N, K]</param>
    /// <param name="bias">F32 [N] or null.</param>
    /// <returns>[…, N] of x's float type.</returns>
    /// <exception cref="ArgumentException">The inner dimensions differ, or norm or bias do not fit.</exception>
    public static Tensor RmsNormLinear(Tensor x, Tensor norm, float eps, LinearWeight weight, Tensor? bias = null)
    {
        CheckPerColumn("rms_norm_linear", "norm", norm, x);
        CheckLinear("rms_norm_linear", x, weight, bias);
        using Tensor rows = EvenRows("rms_norm_linear", x);
        Tensor output = Tensor.Empty(x.Shape.With(-1, weight.Outputs), rows.DType, x.Device);
        x.Device.Backend.RmsNormLinear(rows, norm, eps, weight.Packed, bias, output);
        return output;
    }

    /// <summary>act(gate) up, where gate and up are the halves of rms_norm(x) Wᵀ + bias.</summary>
    /// <param name="x">[…, K]</param>
    /// <param name="norm">F32 [K]</param>
    /// <param name="eps">Keeps the norm's root from 0.</param>
    /// <param name="gateUp">[N, K], the gate's rows first.</param>
    /// <param name="activation">Applied to the gate.</param>
    /// <param name="bias">F32 [N] or null.</param>
    /// <returns>[…, N / 2] of x's float type.</returns>
    /// <exception cref="ArgumentException">N is odd, the inner dimensions differ, or norm or bias do not fit.</exception>
    public static Tensor RmsNormGatedLinear(Tensor x, Tensor norm, float eps, LinearWeight gateUp, Activation activation, Tensor? bias = null)
    {
        CheckPerColumn("rms_norm_gated_linear", "norm", norm, x);
        CheckLinear("rms_norm_gated_linear", x, gateUp, bias);
        if (gateUp.Outputs % 2 != 0)
        {
            throw new ArgumentException($"rms_norm_gated_linear: {gateUp.Outputs} outputs have no halves");
        }

        using Tensor rows = EvenRows("rms_norm_gated_linear", x);
        Tensor output = Tensor.Empty(x.Shape.With(-1, gateUp.Outputs / 2), rows.DType, x.Device);
        x.Device.Backend.RmsNormGatedLinear(rows, norm, eps, gateUp.Packed, bias, activation, output);
        return output;
    }

    /// <summary>Adds x Wᵀ + bias to <paramref name="residual"/> in place.</summary>
    /// <param name="x">[…, K]</param>
    /// <param name="weight">[N, K]</param>
    /// <param name="bias">F32 [N] or null.</param>
    /// <param name="residual">[…, N] of x's float type with even rows.</param>
    /// <exception cref="ArgumentException">The inner dimensions differ, or bias or residual do not fit.</exception>
    public static void LinearAdd(Tensor x, LinearWeight weight, Tensor? bias, Tensor residual)
    {
        CheckLinear("linear_add", x, weight, bias);
        using Tensor rows = EvenRows("linear_add", x);
        if (residual.Shape != x.Shape.With(-1, weight.Outputs) || residual.DType != rows.DType || !CpuBackend.HasEvenRows(residual)
            || rows.SharesMemoryWith(residual))
        {
            throw new ArgumentException(
                $"linear_add: the residual must be {rows.DType} {x.Shape.With(-1, weight.Outputs)} with even rows, apart from x; got {residual}");
        }

        CheckWritable("linear_add", residual);
        x.Device.Backend.LinearAdd(rows, weight.Packed, bias, residual);
    }

    /// <summary>
    /// Attention of a fused projection: turns its queries and keys by the batch's positions, puts keys and values into the batch's slots, then attends as
    /// <see cref="PagedAttention"/> does.
    /// </summary>
    /// <param name="qkv">[T, (H + 2 Hkv) D]: queries, keys, values. May be overwritten.</param>
    /// <param name="heads">H</param>
    /// <param name="rope">Cosines and sines; null where positions come otherwise.</param>
    /// <param name="kv">Keys and values of this layer.</param>
    /// <param name="batch">Which sequences, positions and slots.</param>
    /// <param name="options">Scale, causality, window.</param>
    /// <returns>[T, H D]</returns>
    /// <exception cref="ArgumentException">Shapes do not fit, or the batch names what there is not.</exception>
    public static Tensor RopePagedAttention(Tensor qkv, int heads, RopeTable? rope, PagedKv kv, PagedBatch batch, in AttentionOptions options)
    {
        int width = (heads + (2 * kv.KvHeads)) * kv.HeadDim;
        if (qkv.Rank != 2 || qkv.Shape[1] != width || qkv.DType != FloatType(qkv) || !CpuBackend.HasEvenRows(qkv) || heads % kv.KvHeads != 0)
        {
            throw new ArgumentException($"rope_paged_attention: expected {FloatType(qkv)} [T, {width}] with even rows and heads in groups of {kv.KvHeads}, got {qkv}");
        }

        int tokens = qkv.Shape[0];
        CheckWritable("rope_paged_attention", qkv);
        CheckOptions(options, heads);
        if (rope is not null)
        {
            CheckTable(rope, kv.HeadDim);
            CheckIds("rope positions", batch.Positions, tokens, 0, rope.Positions);
        }

        CheckIds("append slots", batch.SlotMapping, tokens, int.MinValue, kv.BlockCount * (long)PagedKv.BlockSize);
        CheckBatch(kv, batch, tokens, options.Causal);
        using Tensor cut = qkv.Reshape(tokens, heads + (2 * kv.KvHeads), kv.HeadDim);
        Tensor output = Tensor.Empty([tokens, heads * kv.HeadDim], qkv.DType, qkv.Device);
        using Tensor attended = output.Reshape(tokens, heads, kv.HeadDim);
        qkv.Device.Backend.RopePagedAttention(cut, heads, rope, kv, batch, options, attended);
        return output;
    }

    /// <summary>act(gate) up</summary>
    public static Tensor GatedMul(Tensor gate, Tensor up, Activation activation, Tensor? output = null)
    {
        switch (activation)
        {
            case Activation.Silu: return SiluMul(gate, up, output);
            case Activation.Gelu: return GeluMul(gate, up, output);
            case Activation.GeluTanh: return GeluTanhMul(gate, up, output);
            case Activation.None: return Mul(gate, up, output);
            default:
                using (Tensor active = gate.Activate(activation))
                {
                    return Mul(active, up, output);
                }
        }
    }
}
