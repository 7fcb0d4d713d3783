using System.Collections.Immutable;

namespace MmCluster.Tokenizers.Config;

/// <summary>What a checkpoint folder says about its tokenizer beside the vocabulary itself.</summary>
public sealed record TokenizerConfig
{
    /// <summary>Nothing is said.</summary>
    public static TokenizerConfig Empty { get; } = new();

    /// <summary>The token that begins a text, or null.</summary>
    public string? BosToken { get; init; }

    /// <summary>The token that ends a text, or null.</summary>
    public string? EosToken { get; init; }

    /// <summary>The token for unknown text, or null.</summary>
    public string? UnknownToken { get; init; }

    /// <summary>The token that fills batches, or null.</summary>
    public string? PadToken { get; init; }

    /// <summary>Every token that the files name, such as image_token, by its key. Templates see them as variables.</summary>
    public ImmutableDictionary<string, string> NamedTokens { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>Further special tokens without a role.</summary>
    public ImmutableArray<string> AdditionalSpecialTokens { get; init; } = [];

    /// <summary>Chat templates by name; the one without a name is "default". Their text is Jinja.</summary>
    public ImmutableDictionary<string, string> ChatTemplates { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>Whether a text begins with BOS, or null when the files leave it open.</summary>
    public bool? AddBosToken { get; init; }

    /// <summary>Whether a text ends with EOS, or null when the files leave it open.</summary>
    public bool? AddEosToken { get; init; }

    /// <summary>Whether SentencePiece's dummy space stands before each text between added tokens; null counts as true.</summary>
    public bool? Legacy { get; init; }

    /// <summary>The Python class that reads these files elsewhere, such as LlamaTokenizer, or null.</summary>
    public string? TokenizerClass { get; init; }

    /// <summary>The longest text in tokens that the model was made for, or null.</summary>
    public long? ModelMaxLength { get; init; }
}
