using MmCluster.Models.Cards;
using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Encoders;

/// <summary>CLIP's vision transformer (arXiv 2103.00020): patches and a class token, pre-norm layers, an extra norm before the first.</summary>
public sealed class ClipVisionEncoder : IEncoder
{
    private readonly Ownership _owned = new();
    private readonly ClipVisionConfig _config;
    private readonly Parameter _class;
    private readonly PatchEmbedding _patches;
    private readonly Parameter _positions;
    private readonly LayerNorm _preNorm;
    private readonly ClipLayer[] _layers;
    private readonly LayerNorm _postNorm;

    /// <summary>Declares its weights, named as in CLIPVisionModel without <c>vision_model.</c>.</summary>
    public ClipVisionEncoder(ClipVisionConfig config, WeightSource weights)
    {
        weights = weights.OwnedBy(_owned);
        _config = config;
        WeightSource embeddings = weights["embeddings"];
        _class = new Parameter(embeddings, "class_embedding", config.Width);
        _patches = new PatchEmbedding(embeddings["patch_embedding"], config.Channels, config.PatchSize, config.Width, bias: false);
        _positions = new Parameter(embeddings["position_embedding"], "weight", config.Patches + 1, config.Width);
        _preNorm = new LayerNorm(weights["pre_layrnorm"], config.Width, config.NormEpsilon);
        _layers = [.. Enumerable.Range(0, config.LayerCount).Select(i => new ClipLayer(
            weights["encoder"]["layers"][i], config.Width, config.IntermediateSize, config.Heads, config.Activation, config.NormEpsilon))];
        _postNorm = new LayerNorm(weights["post_layernorm"], config.Width, config.NormEpsilon);
        int positions = config.Patches + (config.KeepsClass ? 1 : 0);
        Spec = new EncoderSpec(Modality.Image, positions, config.Width * config.FeatureLayers.Count, config.ImageSize, config.ImageSize);
    }

    /// <inheritdoc/>
    public EncoderSpec Spec { get; }

    /// <summary>Layers; the index of the last hidden state.</summary>
    public int LayerCount => _layers.Length;

    /// <inheritdoc/>
    public Tensor Encode(Tensor input)
    {
        using var scope = new TensorScope();
        Tensor[] states = HiddenStates(input, _config.FeatureLayers.Max());
        Tensor[] chosen = [.. _config.FeatureLayers.Select(layer => _config.KeepsClass ? states[layer] : states[layer].Slice(1, 1))];
        return scope.Keep(chosen.Length == 1 ? chosen[0].Contiguous() : Ops.Cat(chosen, -1));
    }

    /// <summary>
    /// Hidden states 0 (after the embeddings' norm) to <paramref name="last"/>, each [B, 1 + patches, width]; the class token comes first.
    /// </summary>
    public Tensor[] HiddenStates(Tensor input, int last)
    {
        if (input.Rank != 4 || input.Size(1) != _config.Channels || input.Size(2) != _config.ImageSize || input.Size(3) != _config.ImageSize)
        {
            throw new ArgumentException($"clip vision: got {input.Shape}, expected [batch, {_config.Channels}, {_config.ImageSize}, {_config.ImageSize}]");
        }
        Tensor[] states = new Tensor[last + 1];
        states[0] = Embed(input);
        for (int i = 0; i < last; i++)
        {
            states[i + 1] = _layers[i].Forward(states[i]);
        }
        return states;
    }

    /// <summary>The pooled output: the class token's state after the final norm, [B, width].</summary>
    public Tensor Pool(Tensor lastState) => _postNorm.Forward(lastState.Select(1, 0));

    /// <inheritdoc/>
    public void Dispose() => _owned.Dispose();

    private Tensor Embed(Tensor pixels)
    {
        using var scope = new TensorScope();
        Tensor patches = _patches.Forward(pixels);
        Tensor classes = _class.Value.To(patches.DType).Reshape(1, 1, _config.Width).Expand([pixels.Size(0), 1, _config.Width]);
        return scope.Keep(_preNorm.Forward(Ops.Cat([classes, patches], 1) + _positions.Value));
    }
}
