using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Projectors;

/// <summary>Configuration of the Q-Former.</summary>
/// <param name="Queries">Learned queries: rows an item becomes.</param>
/// <param name="Width">Elements of a row.</param>
/// <param name="IntermediateSize">Width of the MLP.</param>
/// <param name="LayerCount">Layers.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="CrossFrequency">Every how many layers queries attend to the features; the first one does.</param>
/// <param name="Activation">The MLP's activation.</param>
/// <param name="NormEpsilon">LayerNorm's epsilon.</param>
/// <param name="VocabularySize">Words it knows, where it reads an instruction beside the features (InstructBLIP); else null.</param>
/// <param name="MaxLength">Longest instruction in tokens.</param>
public sealed record QFormerConfig(
    int Queries, int Width, int IntermediateSize, int LayerCount, int Heads, int CrossFrequency, Activation Activation, float NormEpsilon,
    int? VocabularySize, int MaxLength)
{
    /// <summary>Reads a BLIP-2 configuration: <c>num_query_tokens</c> and <c>qformer_config</c>; absent values are Blip2QFormerConfig's defaults.</summary>
    /// <exception cref="InvalidDataException">A missing or impossible value.</exception>
    /// <exception cref="NotSupportedException">An unknown activation.</exception>
    public static QFormerConfig Read(ModelConfig config)
    {
        ModelConfig qformer = config.Section("qformer_config");
        // InstructBLIP's class always reads the instruction; BLIP-2's has a switch for it.
        bool reads = qformer.BoolOr(config.TextOr("", "model_type").StartsWith("instructblip", StringComparison.Ordinal), "use_qformer_text_input");
        int width = qformer.SizeOr(768, "hidden_size");
        int heads = qformer.SizeOr(12, "num_attention_heads");
        if (width % heads != 0)
        {
            throw qformer.Bad("num_attention_heads", $"is {heads}, which does not divide hidden_size {width}");
        }
        return new QFormerConfig(config.SizeOr(32, "num_query_tokens"), width, qformer.SizeOr(3072, "intermediate_size"), qformer.LayersOr(12, "num_hidden_layers"),
            heads, qformer.SizeOr(2, "cross_attention_frequency"), Activations.Read(qformer, "gelu", "hidden_act"),
            (float)qformer.NumberOr(1e-12, "layer_norm_eps"), reads ? qformer.SizeOr(30522, "vocab_size") : null, qformer.SizeOr(512, "max_position_embeddings"));
    }
}
