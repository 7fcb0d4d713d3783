using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Backbones;

/// <summary>Configuration of the T5 network (T5, Flan-T5, UL2).</summary>
/// <param name="VocabularySize">Rows of the embedding.</param>
/// <param name="Width">Elements of a hidden state.</param>
/// <param name="HeadDim">Elements of a head; need not be Width / Heads.</param>
/// <param name="IntermediateSize">Width of the MLP.</param>
/// <param name="EncoderLayers">Layers of the encoder.</param>
/// <param name="DecoderLayers">Layers of the decoder.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="Buckets">Buckets of relative distance.</param>
/// <param name="MaxDistance">Distance from which on all share the last bucket.</param>
/// <param name="NormEpsilon">RMSNorm's epsilon.</param>
/// <param name="Activation">The MLP's activation.</param>
/// <param name="Gated">Whether the MLP is gated.</param>
/// <param name="TiedEmbeddings">Whether the head may be the embedding.</param>
/// <param name="ScalesOutput">Whether states are multiplied by Width^-0.5 before the head.</param>
/// <param name="MaxLength">Longest sequence.</param>
public sealed record T5Config(
    int VocabularySize, int Width, int HeadDim, int IntermediateSize, int EncoderLayers, int DecoderLayers, int Heads, int Buckets, int MaxDistance,
    float NormEpsilon, Activation Activation, bool Gated, bool TiedEmbeddings, bool ScalesOutput, int MaxLength)
{
    // Relative positions have no end; this is what the published models are used with at most.
    private const int UsualLength = 2048;

    /// <summary>Reads config.json; absent values are T5Config's defaults.</summary>
    /// <exception cref="InvalidDataException">A missing or impossible value.</exception>
    /// <exception cref="NotSupportedException">An unknown activation.</exception>
    public static T5Config Read(ModelConfig config)
    {
        int layers = config.LayersOr(6, "num_layers");
        string feedForward = config.TextOr("relu", "feed_forward_proj"); // "relu", "gated-gelu", ...
        string activation = feedForward == "gated-gelu" ? "gelu_new" : feedForward.Split('-')[^1];
        bool tied = config.BoolOr(true, "tie_word_embeddings");
        return new T5Config(
            config.SizeOr(32128, "vocab_size"), config.SizeOr(512, "d_model"), config.SizeOr(64, "d_kv"), config.SizeOr(2048, "d_ff"),
            layers, config.LayersOr(layers, "num_decoder_layers"), config.SizeOr(8, "num_heads"),
            config.SizeOr(32, "relative_attention_num_buckets"), config.SizeUpTo(1 << 16, 128, "relative_attention_max_distance"),
            (float)config.NumberOr(1e-6, "layer_norm_epsilon"), Activations.Read(config, activation, "dense_act_fn"),
            config.BoolOr(feedForward.StartsWith("gated-", StringComparison.Ordinal), "is_gated_act"), tied,
            config.BoolOr(tied, "scale_decoder_outputs"), Math.Max(UsualLength, config.SizeOr(512, "n_positions")));
    }
}
