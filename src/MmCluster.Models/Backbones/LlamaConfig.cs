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

    // The table is made before weights are compared with the configuration: 4 million positions of heads of 128.
    private const long MostAngles = 1L << 29;

    /// <summary>Reads config.json (or its <c>text_config</c>); absent values are the defaults of the class that <c>model_type</c> names.</summary>
    /// <exception cref="InvalidDataException">A missing or impossible value.</exception>
    /// <exception cref="NotSupportedException">An unknown activation or rope type.</exception>
    public static LlamaConfig Read(ModelConfig config)
    {
        string type = config.TextOr("llama", "model_type");
        Defaults otherwise = type switch
        {
            "qwen2" => new Defaults(151936, 22016, null, 32768),
            "mistral" => new Defaults(32000, 14336, 8, 1 << 17),
            _ => new Defaults(32000, 11008, null, 2048),
        };
        int layers = config.LayersOr(32, "num_hidden_layers");
        int hidden = config.SizeOr(4096, "hidden_size");
        int heads = config.SizeOr(32, "num_attention_heads");
        int kvHeads = config.SizeOr(config.IsNull("num_key_value_heads") ? heads : otherwise.KvHeads ?? heads, "num_key_value_heads");
        int headDim = config.SizeOr(Math.Max(1, hidden / heads), "head_dim");
        int maxLength = config.SizeUpTo(1 << 22, otherwise.MaxLength, "max_position_embeddings");
        if (heads % kvHeads != 0)
        {
            throw config.Bad("num_key_value_heads", $"is {kvHeads}, which does not divide the {heads} attention heads");
        }
        RopeParameters rope = RopeParameters.Read(config, headDim, maxLength);
        maxLength = Math.Min(Math.Min(maxLength, rope.MaxLength), config.SizeOr(maxLength, MaxModelLength));
        if ((long)maxLength * headDim > MostAngles)
        {
            throw config.Bad("max_position_embeddings", $"is {maxLength} with heads of {headDim}: a rope table of more than {MostAngles} values; give a smaller {MaxModelLength}");
        }
        bool qwen2 = type == "qwen2"; // its class has the q, k, v bias built in
        bool bias = config.BoolOr(false, "attention_bias");
        return new LlamaConfig(
            config.SizeOr(otherwise.Vocabulary, "vocab_size"), hidden, config.SizeOr(otherwise.Intermediate, "intermediate_size"), layers, heads, kvHeads, headDim,
            maxLength, (float)config.NumberOr(1e-6, "rms_norm_eps"), Activations.Read(config, "silu", "hidden_act"), qwen2 || bias, bias && !qwen2,
            config.BoolOr(false, "mlp_bias"), config.BoolOr(false, "tie_word_embeddings"), Windows(config, type, layers), rope);
    }

    // LLaMA: none. Mistral: one window for all layers. Qwen2: off unless use_sliding_window, then on layers from max_window_layers up, or as layer_types says.
    private static IReadOnlyList<int?> Windows(ModelConfig config, string type, int layers)
    {
        bool slides = type == "mistral" || (type == "qwen2" && config.BoolOr(false, "use_sliding_window"));
        int? window = slides && !config.IsNull("sliding_window") ? config.SizeOr(4096, "sliding_window") : null;
        IReadOnlyList<string> types = type == "qwen2" ? config.Texts("layer_types") : [];
        if (types.Count > 0 && types.Count != layers)
        {
            throw config.Bad("layer_types", $"has {types.Count} entries for {layers} layers");
        }
        int from = type == "qwen2" ? config.TryWhole("max_window_layers") ?? 28 : 0;
        return [.. Enumerable.Range(0, layers).Select(layer => types.Count == 0
            ? (layer >= from ? window : null)
            : types[layer] switch
            {
                "full_attention" => null,
                "sliding_attention" => window ?? throw config.Bad("sliding_window", "is missing, layer_types uses it"),
                _ => throw new NotSupportedException($"{config.Place}: layer_types has '{types[layer]}'; known: full_attention, sliding_attention"),
            })];
    }

    private readonly record struct Defaults(int Vocabulary, int Intermediate, int? KvHeads, int MaxLength);
}
