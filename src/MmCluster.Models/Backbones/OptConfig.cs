using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Backbones;

/// <summary>Configuration of the OPT network.</summary>
/// <param name="VocabularySize">Rows of the embedding.</param>
/// <param name="EmbeddingSize">Width of embeddings and of the output; projected to HiddenSize where it differs.</param>
/// <param name="HiddenSize">Width.</param>
/// <param name="IntermediateSize">Width of the MLP.</param>
/// <param name="LayerCount">Layers.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="MaxLength">Longest sequence.</param>
/// <param name="Activation">The MLP's activation.</param>
/// <param name="PreNorm">Whether norms come before attention and MLP (all but the 350m model).</param>
/// <param name="FinalNorm">Whether a norm follows the last layer.</param>
/// <param name="Bias">Whether products have biases.</param>
/// <param name="AffineNorms">Whether norms have weights.</param>
/// <param name="TiedEmbeddings">Whether the head is the embedding.</param>
public sealed record OptConfig(
    int VocabularySize, int EmbeddingSize, int HiddenSize, int IntermediateSize, int LayerCount, int Heads, int MaxLength, Activation Activation,
    bool PreNorm, bool FinalNorm, bool Bias, bool AffineNorms, bool TiedEmbeddings)
{
    /// <summary>Reads config.json (or its <c>text_config</c>); absent values are OPTConfig's defaults.</summary>
    /// <exception cref="InvalidDataException">A missing or impossible value.</exception>
    /// <exception cref="NotSupportedException">An unknown activation.</exception>
    public static OptConfig Read(ModelConfig config)
    {
        int hidden = config.SizeOr(768, "hidden_size");
        int heads = config.SizeOr(12, "num_attention_heads");
        bool preNorm = config.BoolOr(true, "do_layer_norm_before");
        if (hidden % heads != 0)
        {
            throw config.Bad("num_attention_heads", $"is {heads}, which does not divide hidden_size {hidden}");
        }
        return new OptConfig(
            config.SizeOr(50272, "vocab_size"), config.SizeOr(hidden, "word_embed_proj_dim"), hidden, config.SizeOr(3072, "ffn_dim"),
            config.LayersOr(12, "num_hidden_layers"), heads, config.SizeOr(2048, "max_position_embeddings"),
            Activations.Read(config, "relu", "activation_function"), preNorm, preNorm && !config.BoolOr(false, "_remove_final_layer_norm"),
            config.BoolOr(true, "enable_bias"), config.BoolOr(true, "layer_norm_elementwise_affine"), config.BoolOr(true, "tie_word_embeddings"));
    }
}
