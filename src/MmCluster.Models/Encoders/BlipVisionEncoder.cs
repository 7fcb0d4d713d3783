using MmCluster.Models.Cards;
using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Encoders;

/// <summary>BLIP-2's vision tower (arXiv 2301.12597; EVA-CLIP ViT-g): pre-norm layers with joined q, k, v, and a final norm over all positions.</summary>
public sealed class BlipVisionEncoder : IEncoder
{
    private readonly Ownership _owned = new();
    private readonly BlipVisionConfig _config;
    private readonly Parameter _class;
    private readonly PatchEmbedding _patches;
    private readonly Parameter _positions;
    private readonly BlipLayer[] _layers;
    private readonly LayerNorm _postNorm;

    /// <summary>Declares its weights, named as in Blip2VisionModel.</summary>
    public BlipVisionEncoder(BlipVisionConfig config, WeightSource weights)
    {
        weights = weights.OwnedBy(_owned);
        _config = config;
        WeightSource embeddings = weights["embeddings"];
        _class = new Parameter(embeddings, "class_embedding", 1, 1, config.Width);
        _patches = new PatchEmbedding(embeddings["patch_embedding"], 3, config.PatchSize, config.Width, bias: true);
        _positions = new Parameter(embeddings, "position_embedding", 1, config.Positions, config.Width);
        _layers = [.. Enumerable.Range(0, config.LayerCount).Select(i => new BlipLayer(config, weights["encoder"]["layers"][i]))];
        _postNorm = new LayerNorm(weights["post_layernorm"], config.Width, config.NormEpsilon);
        Spec = new EncoderSpec(Modality.Image, config.Positions, config.Width, config.ImageSize, config.ImageSize);
    }

    /// <inheritdoc/>
    public EncoderSpec Spec { get; }

    /// <inheritdoc/>
    public Tensor Encode(Tensor input)
    {
        if (input.Rank != 4 || input.Size(1) != 3 || input.Size(2) != _config.ImageSize || input.Size(3) != _config.ImageSize)
        {
            throw new ArgumentException($"blip vision: got {input.Shape}, expected [batch, 3, {_config.ImageSize}, {_config.ImageSize}]");
        }
        using var scope = new TensorScope();
        Tensor patches = _patches.Forward(input);
        Tensor classes = _class.Value.To(patches.DType).Expand([input.Size(0), 1, _config.Width]);
        Tensor x = Ops.Cat([classes, patches], 1) + _positions.Value;
        foreach (BlipLayer layer in _layers)
        {
            Tensor before = x;
            x = layer.Forward(before);
            before.Dispose(); // not all layers' states at once
        }
        return scope.Keep(_postNorm.Forward(x));
    }

    /// <inheritdoc/>
    public void Dispose() => _owned.Dispose();
}

/// <summary>One layer of BLIP-2's vision tower.</summary>
internal sealed class BlipLayer(BlipVisionConfig config, WeightSource weights)
{
    private readonly LayerNorm _norm1 = new(weights["layer_norm1"], config.Width, config.NormEpsilon);
    private readonly Linear _qkv = new(weights["self_attn"]["qkv"], config.Width, 3 * config.Width, config.QkvBias);
    private readonly Linear _projection = new(weights["self_attn"]["projection"], config.Width, config.Width, bias: true);
    private readonly LayerNorm _norm2 = new(weights["layer_norm2"], config.Width, config.NormEpsilon);
    private readonly Linear _fc1 = new(weights["mlp"]["fc1"], config.Width, config.IntermediateSize, bias: true);
    private readonly Linear _fc2 = new(weights["mlp"]["fc2"], config.IntermediateSize, config.Width, bias: true);

    /// <summary>[B, N, width] to the same shape.</summary>
    public Tensor Forward(Tensor x)
    {
        using var scope = new TensorScope();
        Tensor h = x.Clone();
        _projection.AddTo(h, Attend(_norm1.Forward(x)));
        _fc2.AddTo(h, _fc1.Forward(_norm2.Forward(h), config.Activation));
        return scope.Keep(h);
    }

    private Tensor Attend(Tensor x)
    {
        Tensor qkv = _qkv.Forward(x).Reshape(x.Size(0), x.Size(1), 3, config.Heads, config.Width / config.Heads).Permute(2, 0, 3, 1, 4);
        Tensor mixed = Tensor.Empty([x.Size(0), x.Size(1), config.Heads, config.Width / config.Heads], qkv.DType, x.Device);
        Ops.ScaledDotProductAttention(qkv.Select(0, 0), qkv.Select(0, 1), qkv.Select(0, 2), output: mixed.Transpose(1, 2));
        return mixed.Reshape(x.Shape);
    }
}
