using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Encoders;

/// <summary>Configuration of CLIP's vision transformer, and which of its hidden states are the features.</summary>
/// <param name="Width">Elements of a hidden state.</param>
/// <param name="IntermediateSize">Width of the MLP.</param>
/// <param name="LayerCount">Layers.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="Channels">Colour channels.</param>
/// <param name="ImageSize">Side of the picture in pixels.</param>
/// <param name="PatchSize">Side of a patch in pixels.</param>
/// <param name="Activation">The MLP's activation.</param>
/// <param name="NormEpsilon">LayerNorm's epsilon.</param>
/// <param name="FeatureLayers">Hidden states 0 (before the first layer) to LayerCount that are taken; several lie side by side.</param>
/// <param name="KeepsClass">Whether the class token is among the features.</param>
public sealed record ClipVisionConfig(
    int Width, int IntermediateSize, int LayerCount, int Heads, int Channels, int ImageSize, int PatchSize, Activation Activation, float NormEpsilon,
    IReadOnlyList<int> FeatureLayers, bool KeepsClass)
{
    /// <summary>Patches of a picture.</summary>
    public int Patches => ImageSize / PatchSize * (ImageSize / PatchSize);

    /// <summary>
    /// Reads <c>vision_config</c>; absent values are CLIPVisionConfig's defaults. <c>feature_layer</c> (one or a list, negative counts from the end, as
    /// indices into hidden_states) and <c>feature_select</c> (default: without the class token; full) come from the card.
    /// </summary>
    /// <exception cref="InvalidDataException">A missing or impossible value.</exception>
    /// <exception cref="NotSupportedException">An unknown activation or selection.</exception>
    public static ClipVisionConfig Read(ModelConfig config)
    {
        int width = config.SizeOr(768, "hidden_size");
        int heads = config.SizeOr(12, "num_attention_heads");
        int layers = config.LayersOr(12, "num_hidden_layers");
        int image = config.SizeOr(224, "image_size");
        int patch = config.SizeOr(32, "patch_size");
        if (width % heads != 0)
        {
            throw config.Bad("num_attention_heads", $"is {heads}, which does not divide hidden_size {width}");
        }
        if (patch > image || image > 1 << 14)
        {
            throw config.Bad("image_size", $"is {image} with patches of {patch}: impossible");
        }
        IReadOnlyList<int> chosen = config.Wholes("feature_layer", "vision_feature_layer");
        int[] features = [.. (chosen.Count == 0 ? [-1] : chosen).Select(layer => layer >= -(layers + 1) && layer <= layers
            ? (layer + layers + 1) % (layers + 1)
            : throw config.Bad("feature_layer", $"is {layer}, hidden states go from {-(layers + 1)} to {layers}"))];
        return new ClipVisionConfig(
            width, config.SizeOr(3072, "intermediate_size"), layers, heads, config.SizeOr(3, "num_channels"), image, patch,
            Activations.Read(config, "quick_gelu", "hidden_act"), (float)config.NumberOr(1e-5, "layer_norm_eps"), features,
            config.TextOr("full", "feature_select", "vision_feature_select_strategy") switch
            {
                "default" or "patch" => false,
                "full" or "cls_patch" => true,
                var other => throw new NotSupportedException($"{config.Place}: feature selection '{other}' is not known; known: default, full"),
            });
    }
}
