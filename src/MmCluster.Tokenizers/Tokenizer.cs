using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;
using MmCluster.Tokenizers.Config;
using MmCluster.Tokenizers.Json;
using MmCluster.Tokenizers.SentencePiece;
using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers;

/// <summary>Text to ids and back, from a tokenizer.json or a SentencePiece model. Thread-safe.</summary>
public sealed class Tokenizer
{
    private readonly TokenizerCore _core;
    private readonly HashSet<int> _special;
    private readonly ConcurrentDictionary<string, ChatTemplate> _templates = new(StringComparer.Ordinal);

    internal Tokenizer(TokenizerCore core, TokenizerConfig config)
    {
        _core = core;
        Config = config;
        _special = [.. core.AddedTokens.Values.Where(token => token.IsSpecial).Select(token => token.Id)];
    }

    /// <summary>What tokenizer_config.json and special_tokens_map.json say; empty without those files.</summary>
    public TokenizerConfig Config { get; }

    /// <summary>One more than the largest id that has a token. A checkpoint's embedding may have more rows.</summary>
    public int VocabularySize => _core.VocabularySize;

    /// <summary>The ids of the special tokens.</summary>
    public IReadOnlySet<int> SpecialIds => _special;

    /// <summary>The id of the token that begins a text, or null.</summary>
    public int? BosId => IdOrNull(Config.BosToken);

    /// <summary>The id of the token that ends a text, or null. generation_config.json may name several.</summary>
    public int? EosId => IdOrNull(Config.EosToken);

    /// <summary>The id of the token that stands for unknown text, or null.</summary>
    public int? UnknownId => IdOrNull(Config.UnknownToken);

    /// <summary>The id of the token that fills batches, or null.</summary>
    public int? PadId => IdOrNull(Config.PadToken);

    /// <summary>
    /// Reads a checkpoint folder: tokenizer.json, else tokenizer.model or spiece.model, with tokenizer_config.json,
    /// special_tokens_map.json and added_tokens.json beside it.
    /// </summary>
    /// <param name="folder">The folder.</param>
    /// <param name="alsoSpecial">Further tokens that user text must not spell, such as a model's image placeholder.</param>
    /// <exception cref="FileNotFoundException">Neither vocabulary file is there; the text names them.</exception>
    /// <exception cref="InvalidDataException">A file's content is broken.</exception>
    /// <exception cref="NotSupportedException">A file asks for something unknown, which the text names.</exception>
    public static Tokenizer FromFolder(string folder, IEnumerable<string>? alsoSpecial = null) =>
        TokenizerFolder.Load(folder, alsoSpecial ?? []);

    /// <summary>Reads the content of a tokenizer.json. <paramref name="name"/> stands in errors.</summary>
    /// <exception cref="InvalidDataException">The content is broken.</exception>
    /// <exception cref="NotSupportedException">The file asks for something unknown, which the text names.</exception>
    public static Tokenizer FromJson(ReadOnlyMemory<byte> utf8, string name = "tokenizer.json") =>
        new(JsonTokenizer.Parse(utf8, name, AddedTokenOverrides.None), TokenizerConfig.Empty);

    /// <summary>Reads a SentencePiece model. <paramref name="name"/> stands in errors.</summary>
    /// <exception cref="InvalidDataException">The content is broken.</exception>
    /// <exception cref="NotSupportedException">The file asks for something unknown, which the text names.</exception>
    public static Tokenizer FromSentencePiece(ReadOnlyMemory<byte> model, string name = "tokenizer.model")
    {
        var core = SentencePieceTokenizer.Parse(model, name, AddedTokenOverrides.None, SentencePieceOptions.Plain);
        return new Tokenizer(core, core.DefaultConfig);
    }

    /// <summary>Encodes a text.</summary>
    /// <param name="text">The text; lone surrogates count as U+FFFD.</param>
    /// <param name="addSpecialTokens">Whether to put around it what the model expects, such as a leading BOS.</param>
    /// <param name="parseSpecial">
    /// Whether special tokens spelled in the text are meant as such. Leave it false for anything a user wrote.
    /// </param>
    public int[] Encode(string text, bool addSpecialTokens = true, bool parseSpecial = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Encode(text, parseSpecial ? null : Flags(text.Length, true), addSpecialTokens);
    }

    /// <inheritdoc cref="Encode(string, bool, bool)"/>
    public int[] Encode(ReadOnlySpan<char> text, bool addSpecialTokens = true, bool parseSpecial = false) =>
        Encode(text.ToString(), addSpecialTokens, parseSpecial);

    /// <summary>
    /// Encodes a prompt of trusted and untrusted stretches as one text: the ids are those of the whole text, except that
    /// special tokens count only where they lie in trusted stretches whole.
    /// </summary>
    /// <param name="segments">The stretches in order, as a chat template renders them.</param>
    /// <param name="addSpecialTokens">Whether to put around it what the model expects; chat templates write their own.</param>
    public int[] EncodeSegments(IReadOnlyList<TextSegment> segments, bool addSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(segments);
        string text = string.Concat(segments.Select(segment => segment.Text));
        if (segments.All(segment => segment.ParseSpecial))
        {
            return Encode(text, null, addSpecialTokens);
        }
        bool[] untrusted = new bool[text.Length];
        int at = 0;
        foreach (TextSegment segment in segments)
        {
            untrusted.AsSpan(at, segment.Text.Length).Fill(!segment.ParseSpecial);
            at += segment.Text.Length;
        }
        return Encode(text, untrusted, addSpecialTokens);
    }

    /// <summary>Decodes a sequence. Ids without token add nothing.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="skipSpecialTokens">Whether special tokens are left out.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        var output = new StringBuilder();
        IdDecoder decoder = _core.CreateDecoder(output);
        foreach (int id in ids)
        {
            if (!skipSpecialTokens || !_special.Contains(id))
            {
                decoder.Write(id);
            }
        }
        decoder.Finish();
        return output.ToString();
    }

    /// <summary>Begins to decode a sequence id by id.</summary>
    public StreamingDecoder CreateDecoder(bool skipSpecialTokens = true) =>
        new(_core, id => skipSpecialTokens && _special.Contains(id));

    /// <summary>The token of an id as the vocabulary spells it, or null when there is none.</summary>
    public string? TokenOf(int id) => _core.TokenOf(id);

    /// <summary>The id of a token as the vocabulary spells it, or null when there is none.</summary>
    public int? IdOf(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        return _core.IdOf(token);
    }

    /// <summary>A chat template of the checkpoint, with the checkpoint's special tokens as variables.</summary>
    /// <param name="name">Its name; "default" is the one without a name.</param>
    /// <exception cref="InvalidDataException">There is no such template, or it does not parse.</exception>
    /// <exception cref="NotSupportedException">The template asks for something unknown; the text names line and word.</exception>
    public ChatTemplate ChatTemplate(string name = "default")
    {
        ArgumentNullException.ThrowIfNull(name);
        return _templates.GetOrAdd(name, key => Config.ChatTemplates.TryGetValue(key, out string? source)
            ? MmCluster.Tokenizers.ChatTemplate.Parse(source, $"chat_template '{key}'", TemplateTokens())
            : throw new InvalidDataException(Config.ChatTemplates.IsEmpty
                ? "the checkpoint has no chat template"
                : $"the checkpoint has no chat template '{key}'; known: {string.Join(", ", Config.ChatTemplates.Keys.Order())}"));
    }

    /// <summary>
    /// Writes a conversation with the checkpoint's template: "tool_use" when there are tools and a template of that name,
    /// else the default one.
    /// </summary>
    /// <exception cref="ArgumentException">The template refused the conversation; the text is its own.</exception>
    /// <exception cref="InvalidDataException">There is no template, or it fails on this input.</exception>
    public RenderedPrompt RenderChat(ChatTemplateInput input)
    {
        ArgumentNullException.ThrowIfNull(input);
        bool withTools = input.Tools is { ValueKind: System.Text.Json.JsonValueKind.Array } && Config.ChatTemplates.ContainsKey("tool_use");
        return ChatTemplate(withTools ? "tool_use" : "default").Render(input);
    }

    private int[] Encode(string text, bool[]? untrusted, bool addSpecialTokens)
    {
        var ids = new List<int>();
        _core.Encode(CodePoints.WithoutLoneSurrogates(text), untrusted, ids);
        List<int> result = addSpecialTokens ? _core.AddSpecialTokens(ids) : ids;
        return CollectionsMarshal.AsSpan(result).ToArray();
    }

    private ImmutableDictionary<string, string> TemplateTokens()
    {
        ImmutableDictionary<string, string> tokens = Config.NamedTokens;
        foreach ((string key, string? token) in new[]
        {
            ("bos_token", Config.BosToken), ("eos_token", Config.EosToken),
            ("unk_token", Config.UnknownToken), ("pad_token", Config.PadToken),
        })
        {
            tokens = token is null ? tokens : tokens.SetItem(key, token);
        }
        return tokens;
    }

    private int? IdOrNull(string? token) => token is null ? null : _core.IdOf(token);

    private static bool[] Flags(int length, bool value)
    {
        bool[] flags = new bool[length];
        Array.Fill(flags, value);
        return flags;
    }
}
