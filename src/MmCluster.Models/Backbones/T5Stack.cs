using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Backbones;

/// <summary>T5's MLP: gated or plain, no biases, its own norm before.</summary>
internal sealed class T5FeedForward(T5Config config, WeightSource weights)
{
    private readonly RmsNorm _norm = new(weights["layer_norm"], config.Width, config.NormEpsilon);
    private readonly Linear _in = config.Gated
        ? Linear.Joined(weights["DenseReluDense"], ["wi_0", "wi_1"], config.Width, [config.IntermediateSize, config.IntermediateSize], bias: false)
        : new Linear(weights["DenseReluDense"]["wi"], config.Width, config.IntermediateSize, bias: false);
    private readonly Linear _out = new(weights["DenseReluDense"]["wo"], config.IntermediateSize, config.Width, bias: false);

    public Tensor Forward(Tensor x)
    {
        return _out.Forward(config.Gated
            ? _in.ForwardGated(x, _norm, config.Activation)
            : _in.Forward(_norm.Forward(x), config.Activation));
    }
}

/// <summary>One layer of T5's encoder.</summary>
internal sealed class T5EncoderLayer(T5Config config, WeightSource weights)
{
    private readonly int _inner = config.Heads * config.HeadDim;
    private readonly RmsNorm _norm = new(weights["layer"][0]["layer_norm"], config.Width, config.NormEpsilon);
    private readonly Linear _qkv = Linear.Joined(weights["layer"][0]["SelfAttention"], ["q", "k", "v"], config.Width,
        [config.Heads * config.HeadDim, config.Heads * config.HeadDim, config.Heads * config.HeadDim], bias: false);
    private readonly Linear _o = new(weights["layer"][0]["SelfAttention"]["o"], config.Heads * config.HeadDim, config.Width, bias: false);
    private readonly T5FeedForward _feedForward = new(config, weights["layer"][1]);

    /// <summary>[B, L, width]; <paramref name="bias"/> [1, heads, L, L], <paramref name="mask"/> [B, 1, 1, L] true where a key is seen, or null.</summary>
    public Tensor Forward(Tensor x, Tensor bias, Tensor? mask)
    {
        using var scope = new TensorScope();
        Tensor h = x + Attend(_norm.Forward(x), bias, mask);
        return scope.Keep(h + _feedForward.Forward(h));
    }

    private Tensor Attend(Tensor x, Tensor bias, Tensor? mask)
    {
        int batch = x.Size(0);
        int length = x.Size(1);
        Tensor qkv = _qkv.Forward(x).Reshape(batch, length, 3, config.Heads, config.HeadDim).Permute(2, 0, 3, 1, 4);
        Tensor mixed = Ops.ScaledDotProductAttention(qkv.Select(0, 0), qkv.Select(0, 1), qkv.Select(0, 2), mask, bias, scale: 1);
        return _o.Forward(mixed.Transpose(1, 2).Reshape(batch, length, _inner));
    }
}

/// <summary>One layer of T5's decoder.</summary>
internal sealed class T5DecoderLayer(T5Config config, WeightSource weights)
{
    private readonly int _inner = config.Heads * config.HeadDim;
    private readonly RmsNorm _selfNorm = new(weights["layer"][0]["layer_norm"], config.Width, config.NormEpsilon);
    private readonly Linear _qkv = Linear.Joined(weights["layer"][0]["SelfAttention"], ["q", "k", "v"], config.Width,
        [config.Heads * config.HeadDim, config.Heads * config.HeadDim, config.Heads * config.HeadDim], bias: false);
    private readonly Linear _selfOut = new(weights["layer"][0]["SelfAttention"]["o"], config.Heads * config.HeadDim, config.Width, bias: false);
    private readonly RmsNorm _crossNorm = new(weights["layer"][1]["layer_norm"], config.Width, config.NormEpsilon);
    private readonly Linear _crossQuery = new(weights["layer"][1]["EncDecAttention"]["q"], config.Width, config.Heads * config.HeadDim, bias: false);
    private readonly Linear _crossKv = Linear.Joined(weights["layer"][1]["EncDecAttention"], ["k", "v"], config.Width,
        [config.Heads * config.HeadDim, config.Heads * config.HeadDim], bias: false);
    private readonly Linear _crossOut = new(weights["layer"][1]["EncDecAttention"]["o"], config.Heads * config.HeadDim, config.Width, bias: false);
    private readonly T5FeedForward _feedForward = new(config, weights["layer"][2]);

    /// <summary>[T, width] to the same shape.</summary>
    public Tensor Forward(Tensor x, Tensor biasByDistance, BackboneStep step, PagedBatch memory, int layer)
    {
        using var scope = new TensorScope();
        Tensor h = x + AttendSelf(x, biasByDistance, step.Batch, step.Kv[layer]);
        h += AttendMemory(_crossNorm.Forward(h), memory, step.CrossKv[layer]);
        return scope.Keep(h + _feedForward.Forward(h));
    }

    /// <summary>Keys and values of the encoder's output [L, width].</summary>
    public void Append(Tensor memory, PagedKv kv, PagedBatch batch)
    {
        using var scope = new TensorScope();
        Tensor both = _crossKv.Forward(memory).Reshape(memory.Size(0), 2, config.Heads, config.HeadDim);
        Ops.Append(both.Select(1, 0), both.Select(1, 1), kv, batch);
    }

    private Tensor AttendSelf(Tensor x, Tensor biasByDistance, PagedBatch batch, PagedKv kv)
    {
        Tensor qkv = _qkv.Forward(x, _selfNorm);
        return _selfOut.Forward(Ops.RopePagedAttention(
            qkv, config.Heads, rope: null, kv, batch, new AttentionOptions { Scale = 1, DistanceBias = biasByDistance }));
    }

    private Tensor AttendMemory(Tensor x, PagedBatch memory, PagedKv kv)
    {
        Tensor q = _crossQuery.Forward(x).Reshape(x.Size(0), config.Heads, config.HeadDim);
        return _crossOut.Forward(Ops.PagedAttention(q, kv, memory, new AttentionOptions { Scale = 1, Causal = false }).Reshape(x.Size(0), _inner));
    }
}
