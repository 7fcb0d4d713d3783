using System.Collections.Frozen;
using System.Text;
using MmCluster.Tokenizers.Decoders;
using MmCluster.Tokenizers.Normalizers;
using MmCluster.Tokenizers.PostProcessors;
using MmCluster.Tokenizers.PreTokenizers;
using MmCluster.Tokenizers.Subwords;

namespace MmCluster.Tokenizers.Json;

/// <summary>
/// A tokenizer.json: added tokens are cut out, the rest is normalized, cut into words, and split by the model.
/// Truncation and padding that the file may ask for are left out: a prompt is never shortened silently.
/// </summary>
internal sealed class JsonTokenizer : TokenizerCore
{
    private readonly Normalizer? _normalizer;
    private readonly PreTokenizer? _preTokenizer;
    private readonly SubwordModel _model;
    private readonly IReadOnlyList<DecoderFactory>? _decoders;
    private readonly Dictionary<int, AddedToken> _added;
    private readonly Dictionary<string, int> _addedIds = new(StringComparer.Ordinal);
    private readonly Dictionary<int, string> _decodedForms = [];
    private readonly AddedTokenFinder _raw;
    private readonly AddedTokenFinder _normalized;
    private readonly FrozenSet<int> _forbidden;

    private JsonTokenizer(JsonPart root, AddedTokenOverrides overrides)
    {
        _normalizer = root.Optional("normalizer") is { } normalizer ? NormalizerReader.Read(normalizer) : null;
        _preTokenizer = root.Optional("pre_tokenizer") is { } preTokenizer ? PreTokenizerReader.Read(preTokenizer) : null;
        _model = ModelReader.Read(root.Required("model"));
        PostProcessor = root.Optional("post_processor") is { } processor ? PostProcessorReader.Read(processor) : null;
        _decoders = root.Optional("decoder") is { } decoder ? DecoderReader.Read(decoder) : null;
        _added = overrides.Apply(ReadAddedTokens(root, _model.Vocabulary), _model.Vocabulary.IdOf);
        foreach (AddedToken token in _added.Values)
        {
            _addedIds[token.Content] = token.Id;
            if (token.Normalized && _normalizer is not null)
            {
                _decodedForms[token.Id] = Normalize(token.Content);
            }
        }
        _raw = new AddedTokenFinder(_added.Values.Where(token => !token.Normalized), token => token.Content);
        _normalized = new AddedTokenFinder(
            _added.Values.Where(token => token.Normalized), token => _decodedForms.GetValueOrDefault(token.Id, token.Content));
        _forbidden = _added.Values.Where(token => token.IsSpecial).Select(token => token.Id).ToFrozenSet();
        VocabularySize = Math.Max(_model.Vocabulary.Size, _added.Count == 0 ? 0 : _added.Keys.Max() + 1);
    }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<int, AddedToken> AddedTokens => _added;

    /// <inheritdoc/>
    public override int VocabularySize { get; }

    /// <summary>Puts special tokens around a sequence; a folder's configuration may replace the file's.</summary>
    public PostProcessor? PostProcessor { get; set; }

    /// <summary>Reads a file's content; <paramref name="name"/> stands in errors.</summary>
    public static JsonTokenizer Parse(ReadOnlyMemory<byte> utf8, string name, AddedTokenOverrides overrides)
    {
        using System.Text.Json.JsonDocument document = JsonPart.ParseFile(utf8, name);
        return new JsonTokenizer(new JsonPart(document.RootElement, name), overrides);
    }

    /// <inheritdoc/>
    public override void Encode(string text, bool[]? untrusted, List<int> ids)
    {
        foreach ((int? id, int start, int end) in _raw.Find(text, untrusted))
        {
            if (id is { } added)
            {
                ids.Add(added);
                continue;
            }
            bool[]? flags = untrusted is not null && _normalized.HasSpecial ? untrusted[start..end] : null;
            var piece = new TaintedText(text[start..end], flags);
            EncodePiece(_normalizer?.Apply(piece) ?? piece, start == 0, untrusted is not null, ids);
        }
    }

    /// <inheritdoc/>
    public override List<int> AddSpecialTokens(List<int> ids) => PostProcessor?.Apply(ids) ?? ids;

    /// <inheritdoc/>
    public override int? IdOf(string token) => _addedIds.TryGetValue(token, out int id) ? id : _model.Vocabulary.IdOf(token);

    /// <inheritdoc/>
    public override string? TokenOf(int id) => _added.TryGetValue(id, out AddedToken? token) ? token.Content : _model.Vocabulary.TokenOf(id);

    /// <inheritdoc/>
    public override IdDecoder CreateDecoder(StringBuilder output)
    {
        TokenDecoder? first = null;
        for (int i = (_decoders?.Count ?? 0) - 1; i >= 0; i--)
        {
            first = _decoders![i](first, first is null ? output : null);
        }
        // An empty row of decoders joins without spaces, no decoder at all joins with them.
        first ??= _decoders is null ? new SpaceDecoder(output) : new FuseDecoder(null, output);
        return new TokenIdDecoder(id => _decodedForms.GetValueOrDefault(id) ?? TokenOf(id), first);
    }

    private static Dictionary<int, AddedToken> ReadAddedTokens(JsonPart root, Vocabulary vocabulary)
    {
        var tokens = new Dictionary<int, AddedToken>();
        if (root.Optional("added_tokens") is not { } list)
        {
            return tokens;
        }
        foreach (JsonPart item in list.Items())
        {
            AddedToken token = AddedTokenOverrides.Read(item, item.Required("content").AsString(), item.Required("id").AsInt());
            if (token.Content.Length > 0)
            {
                // The model's own id wins, as in the reference.
                token = token with { Id = vocabulary.IdOf(token.Content) ?? token.Id };
                tokens[token.Id] = token;
            }
        }
        return tokens;
    }

    private void EncodePiece(TaintedText piece, bool atOrigin, bool guarded, List<int> ids)
    {
        foreach ((int? id, int start, int end) in _normalized.Find(piece.Text, piece.Untrusted))
        {
            if (id is { } added)
            {
                ids.Add(added);
                continue;
            }
            var words = new Words(piece.Text[start..end], atOrigin && start == 0 && !piece.HeadRemoved);
            words = _preTokenizer?.Apply(words) ?? words;
            foreach ((int wordStart, int length) in words.Spans)
            {
                _model.Split(words.Text.AsSpan(wordStart, length), guarded ? _forbidden : null, ids);
            }
        }
    }

    private string Normalize(string text) => _normalizer!.Apply(new TaintedText(text, null)).Text;
}
