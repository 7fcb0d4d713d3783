using MmCluster.Tensors;

namespace MmCluster.Models.Backbones;

/// <summary>What an executor must know of a backbone.</summary>
/// <param name="VocabularySize">Width of the logits.</param>
/// <param name="EmbeddingSize">Width of <see cref="IBackbone.Embed"/>'s rows, and of media features.</param>
/// <param name="HiddenSize">Width of the rows between layers.</param>
/// <param name="OutputSize">Width of finished rows.</param>
/// <param name="LayerCount">Decoder layers of the whole network.</param>
/// <param name="KvHeads">Key and value heads of a layer's self-attention.</param>
/// <param name="HeadDim">Elements of a key or value head.</param>
/// <param name="MaxLength">Longest sequence in tokens, prompt and output together.</param>
public sealed record BackboneSpec(
    int VocabularySize,
    int EmbeddingSize,
    int HiddenSize,
    int OutputSize,
    int LayerCount,
    int KvHeads,
    int HeadDim,
    int MaxLength)
{
    /// <summary>First layer that this instance holds.</summary>
    public int FirstLayer { get; init; }

    /// <summary>One past the last layer that this instance holds.</summary>
    public int EndLayer { get; init; } = LayerCount;

    /// <summary>The type of rows between layers; keys and values are kept in it unless somebody asks for another.</summary>
    public DType ActivationType { get; init; } = DType.F32;

    /// <summary>How requests feed the network.</summary>
    public BackboneKind Kind { get; init; } = BackboneKind.CausalLm;

    /// <summary>Whether <see cref="BackboneStep.TokenTypes"/> is needed.</summary>
    public bool UsesTokenTypes { get; init; }

    /// <summary>Layers held by this instance: as many self-attention <c>PagedKv</c>s are needed.</summary>
    public int HeldLayers => EndLayer - FirstLayer;

    /// <summary>Whether this instance embeds tokens.</summary>
    public bool HoldsEmbedding => FirstLayer == 0;

    /// <summary>Whether this instance has the final norm and the head.</summary>
    public bool HoldsHead => EndLayer == LayerCount;
}

/// <summary>How requests feed a decoder.</summary>
public enum BackboneKind
{
    /// <summary>Decoder-only: media features take the place of placeholder tokens.</summary>
    CausalLm,

    /// <summary>Decoder-only; the prompt attends to itself in both directions and is computed in one chunk.</summary>
    PrefixLm,

    /// <summary>The prompt runs through an encoder; the decoder attends to its output.</summary>
    EncoderDecoder,

    /// <summary>Text attends to media features through cross-attention layers.</summary>
    CrossAttentionToMedia,
}

/// <summary>The memory that a decoder attends to.</summary>
/// <param name="Layers">Cross-attention layers held: as many cross <c>PagedKv</c>s are needed.</param>
/// <param name="KvHeads">Key and value heads.</param>
/// <param name="HeadDim">Elements of a head.</param>
/// <param name="MaxLength">Longest memory in rows.</param>
public sealed record CrossSpec(int Layers, int KvHeads, int HeadDim, int MaxLength);
