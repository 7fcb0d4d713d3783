using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Backbones;

/// <summary>Configuration of the LLaMA network and of those that differ from it by values only (Mistral, Qwen2).</summary>
/// <param name="VocabularySize">Rows of the embedding.</param>
/// <param name="HiddenSize">Width.</param>
/// <param name="IntermediateSize">Width of the gated MLP.</param>
/// <param name="LayerCount">Decoder layers.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KvHeads">Key and value heads.</param>
/// <param name="HeadDim">Elements of a head; need not be HiddenSize / Heads.</param>
/// <param name="MaxLength">Longest sequence.</param>
/// <param name="NormEpsilon">RMSNorm's epsilon.</param>
/// <param name="Activation">The gate's activation.</param>
/// <param name="QkvBias">Whether q, k and v have a bias.</param>
/// <param name="OutputBias">Whether the attention's output has a bias.</param>
/// <param name="MlpBias">Whether the MLP has biases.</param>
/// <param name="TiedEmbeddings">Whether the head is the embedding.</param>
/// <param name="SlidingWindow">Positions that attention looks back, for each layer; null looks back over all.</param>
/// <param name="Rope">Rotary embedding.</param>
public sealed record LlamaConfig(
    int VocabularySize, int HiddenSize, int IntermediateSize, int LayerCount, int Heads, int KvHeads, int HeadDim, int MaxLength,
    float NormEpsilon, Activation Activation, bool QkvBias, bool OutputBias, bool MlpBias, bool TiedEmbeddings,
    IReadOnlyList<int?> SlidingWindow, RopeParameters Rope)
{
    /// <summary>Configuration key (of cards and options, not of Hugging Face) for a longest sequence below the network's own: tables are made to it.</summary>
    public const string MaxModelLength = "max_model_len";

    /// <summary>Reads config.json (or its <c>text_config</c>); absent values are the classes' defaults.</summary>
    /// <exception cref="InvalidDataException">A missing or impossible value.</exception>
    /// <exception cref="NotSupportedException">An unknown activation or rope type.</exception>
    public static LlamaConfig Read(ModelConfig config)
    {
        int layers = config.LayersOr(32, "num_hidden_layers");
        int hidden = config.SizeOr(4096, "hidden_size");
        int heads = config.SizeOr(32, "num_attention_heads");
        int kvHeads = config.SizeOr(heads, "num_key_value_heads");
        int headDim = config.SizeOr(Math.Max(1, hidden / heads), "head_dim");
        int maxLength = config.SizeUpTo(1 << 22, 2048, "max_position_embeddings");
        if (heads % kvHeads != 0)
        {
            throw config.Bad("num_key_value_heads", $"is {kvHeads}, which does not divide the {heads} attention heads");
        }
        bool qwen2 = config.TryText("model_type") == "qwen2"; // its class has the q, k, v bias built in
        bool bias = config.BoolOr(false, "attention_bias");
        RopeParameters rope = RopeParameters.Read(config, headDim, maxLength);
        return new LlamaConfig(
            config.SizeOr(32000, "vocab_size"), hidden, config.SizeOr(11008, "intermediate_size"), layers, heads, kvHeads, headDim,
            Math.Min(Math.Min(maxLength, rope.MaxLength), config.SizeOr(maxLength, MaxModelLength)), (float)config.NumberOr(1e-6, "rms_norm_eps"),
            Activations.Read(config, "silu", "hidden_act"), qwen2 || bias, bias && !qwen2, config.BoolOr(false, "mlp_bias"),
            config.BoolOr(false, "tie_word_embeddings"), Windows(config, layers, qwen2), rope);
    }

    // Mistral: one window for all layers. Qwen2: off unless use_sliding_window, then on layers from max_window_layers up, or as layer_types says.
    private static IReadOnlyList<int?> Windows(ModelConfig config, int layers, bool qwen2)
    {
        int? window = config.BoolOr(!qwen2, "use_sliding_window") ? config.TryWhole("sliding_window") : null;
        IReadOnlyList<string> types = config.Texts("layer_types");
        if (types.Count > 0 && types.Count != layers)
        {
            throw config.Bad("layer_types", $"has {types.Count} entries for {layers} layers");
        }
        int from = qwen2 ? config.TryWhole("max_window_layers") ?? 28 : 0;
        return [.. Enumerable.Range(0, layers).Select(layer => types.Count == 0
            ? (layer >= from ? window : null)
            : types[layer] switch
            {
                "full_attention" => null,
                "sliding_attention" => window ?? throw config.Bad("sliding_window", "is missing, layer_types uses it"),
                _ => throw new NotSupportedException($"{config.Place}: layer_types has '{types[layer]}'; known: full_attention, sliding_attention"),
            })];
    }
}
