using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Encoders;

/// <summary>Configuration of BLIP-2's vision tower, the EVA-CLIP ViT-g network.</summary>
/// <param name="Width">Elements of a hidden state.</param>
/// <param name="IntermediateSize">Width of the MLP.</param>
/// <param name="LayerCount">Layers.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="ImageSize">Side of the picture in pixels.</param>
/// <param name="PatchSize">Side of a patch in pixels.</param>
/// <param name="Activation">The MLP's activation.</param>
/// <param name="NormEpsilon">LayerNorm's epsilon.</param>
/// <param name="QkvBias">Whether the joined q, k, v product has a bias.</param>
public sealed record BlipVisionConfig(
    int Width, int IntermediateSize, int LayerCount, int Heads, int ImageSize, int PatchSize, Activation Activation, float NormEpsilon, bool QkvBias)
{
    /// <summary>Patches of a picture and the class token.</summary>
    public int Positions => (ImageSize / PatchSize * (ImageSize / PatchSize)) + 1;

    /// <summary>Reads <c>vision_config</c>; absent values are Blip2VisionConfig's defaults.</summary>
    /// <exception cref="InvalidDataException">A missing or impossible value.</exception>
    /// <exception cref="NotSupportedException">An unknown activation.</exception>
    public static BlipVisionConfig Read(ModelConfig config)
    {
        int width = config.SizeOr(1408, "hidden_size");
        int heads = config.SizeOr(16, "num_attention_heads");
        int image = config.SizeOr(224, "image_size");
        int patch = config.SizeOr(14, "patch_size");
        if (width % heads != 0 || patch > image || image > 1 << 14)
        {
            throw config.Bad("vision_config", $"has width {width}, {heads} heads, pictures of {image} and patches of {patch}: impossible");
        }
        return new BlipVisionConfig(width, config.SizeOr(6144, "intermediate_size"), config.LayersOr(39, "num_hidden_layers"), heads, image, patch,
            Activations.Read(config, "gelu", "hidden_act"), (float)config.NumberOr(1e-6, "layer_norm_eps"), config.BoolOr(true, "qkv_bias"));
    }
}
