using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Encoders;

/// <summary>A pre-norm transformer layer as CLIP's vision and text towers have it.</summary>
internal sealed class ClipLayer(WeightSource weights, int width, int intermediate, int heads, Activation activation, float epsilon)
{
    private readonly LayerNorm _norm1 = new(weights["layer_norm1"], width, epsilon);
    private readonly Linear _qkv = Linear.Joined(weights["self_attn"], ["q_proj", "k_proj", "v_proj"], width, [width, width, width], bias: true);
    private readonly Linear _out = new(weights["self_attn"]["out_proj"], width, width, bias: true);
    private readonly LayerNorm _norm2 = new(weights["layer_norm2"], width, epsilon);
    private readonly Linear _fc1 = new(weights["mlp"]["fc1"], width, intermediate, bias: true);
    private readonly Linear _fc2 = new(weights["mlp"]["fc2"], intermediate, width, bias: true);

    /// <summary>[B, N, width] to the same shape; <paramref name="seen"/> [B, 1, 1, N] is true where a position is looked at, null where all are.</summary>
    public Tensor Forward(Tensor x, bool causal = false, Tensor? seen = null)
    {
        using var scope = new TensorScope();
        Tensor h = x.Clone();
        _out.AddTo(h, Attend(_norm1.Forward(x), causal, seen));
        _fc2.AddTo(h, _fc1.Forward(_norm2.Forward(h), activation));
        return scope.Keep(h);
    }

    private Tensor Attend(Tensor x, bool causal, Tensor? seen)
    {
        Tensor qkv = _qkv.Forward(x).Reshape(x.Size(0), x.Size(1), 3, heads, width / heads).Permute(2, 0, 3, 1, 4); // [3, B, heads, N, dim]
        Tensor mixed = Tensor.Empty([x.Size(0), x.Size(1), heads, width / heads], qkv.DType, x.Device);
        Ops.ScaledDotProductAttention(qkv.Select(0, 0), qkv.Select(0, 1), qkv.Select(0, 2), seen, causal: causal, output: mixed.Transpose(1, 2));
        return mixed.Reshape(x.Shape);
    }
}
