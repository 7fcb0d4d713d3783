using System.Collections.Frozen;
using System.Runtime.InteropServices;
using System.Text;
using MmCluster.Tokenizers.Config;

namespace MmCluster.Tokenizers.SentencePiece;

/// <summary>What the files beside a SentencePiece model decide.</summary>
/// <param name="AddBos">Whether a text begins with BOS.</param>
/// <param name="AddEos">Whether a text ends with EOS.</param>
/// <param name="PrefixEveryPiece">Whether the dummy space stands before each text between added tokens, not only the first.</param>
internal sealed record SentencePieceOptions(bool AddBos, bool AddEos, bool PrefixEveryPiece)
{
    /// <summary>A model without further files: BOS where the model has one.</summary>
    public static SentencePieceOptions Plain { get; } = new(AddBos: true, AddEos: false, PrefixEveryPiece: true);
}

/// <summary>A SentencePiece model, with the added tokens that Hugging Face folders put beside it.</summary>
internal sealed class SentencePieceTokenizer : TokenizerCore
{
    private readonly SentencePieceModel _model;
    private readonly SentencePieceOptions _options;
    private readonly SentencePieceNormalizer _normalizer;
    private readonly PieceEncoder _encoder;
    private readonly Dictionary<int, AddedToken> _added;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly int[] _byteIds = new int[256];
    private readonly AddedTokenFinder _finder;
    private readonly FrozenSet<int> _forbidden;

    private SentencePieceTokenizer(SentencePieceModel model, AddedTokenOverrides overrides, SentencePieceOptions options)
    {
        _model = model;
        _options = options;
        _normalizer = new SentencePieceNormalizer(model);
        _encoder = model.IsBpe ? new BpePieceEncoder(model) : new UnigramPieceEncoder(model);
        Array.Fill(_byteIds, model.UnknownId);
        var control = new Dictionary<int, AddedToken>();
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            Piece piece = model.Pieces[id];
            _ids.TryAdd(piece.Text, id);
            if (piece.Type == PieceType.Control)
            {
                control[id] = new AddedToken(id, piece.Text, IsSpecial: true);
            }
            else if (piece.Type == PieceType.Byte && Decoders.ByteFallbackDecoder.TryParse(piece.Text, out byte value))
            {
                _byteIds[value] = id;
            }
        }
        _added = overrides.Apply(control, token => _ids.TryGetValue(token, out int id) ? id : null);
        foreach (AddedToken token in _added.Values)
        {
            _ids.TryAdd(token.Content, token.Id);
        }
        _finder = new AddedTokenFinder(_added.Values, token => token.Content);
        _forbidden = _added.Values.Where(token => token.IsSpecial).Select(token => token.Id).ToFrozenSet();
        VocabularySize = Math.Max(model.Pieces.Count, _added.Count == 0 ? 0 : _added.Keys.Max() + 1);
        DefaultConfig = TokenizerConfig.Empty with
        {
            BosToken = ControlOrNull(model.BosPiece),
            EosToken = ControlOrNull(model.EosPiece),
            UnknownToken = model.Pieces[model.UnknownId].Text,
            PadToken = ControlOrNull(model.PadPiece),
        };
    }

    /// <summary>What the model itself says about its special tokens.</summary>
    public TokenizerConfig DefaultConfig { get; }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<int, AddedToken> AddedTokens => _added;

    /// <inheritdoc/>
    public override int VocabularySize { get; }

    /// <summary>Reads a file's content; <paramref name="name"/> stands in errors.</summary>
    public static SentencePieceTokenizer Parse(
        ReadOnlyMemory<byte> data, string name, AddedTokenOverrides overrides, SentencePieceOptions options) =>
        new(SentencePieceModel.Parse(data.Span, name), overrides, options);

    /// <inheritdoc/>
    public override void Encode(string text, bool[]? untrusted, List<int> ids)
    {
        foreach ((int? id, int start, int end) in _finder.Find(text, untrusted))
        {
            if (id is { } added)
            {
                ids.Add(added);
                continue;
            }
            string normalized = _normalizer.Apply(text[start..end], start == 0 || _options.PrefixEveryPiece);
            EncodePiece(normalized, untrusted is null ? null : _forbidden, ids);
        }
    }

    /// <inheritdoc/>
    public override List<int> AddSpecialTokens(List<int> ids)
    {
        var result = new List<int>(ids.Count + 2);
        if (_options.AddBos && ControlOrNull(_model.BosPiece) is { } bos)
        {
            result.Add(_ids[bos]);
        }
        result.AddRange(CollectionsMarshal.AsSpan(ids));
        if (_options.AddEos && ControlOrNull(_model.EosPiece) is { } eos)
        {
            result.Add(_ids[eos]);
        }
        return result;
    }

    /// <inheritdoc/>
    public override int? IdOf(string token) => _ids.TryGetValue(token, out int id) ? id : null;

    /// <inheritdoc/>
    public override string? TokenOf(int id) => id >= 0 && id < _model.Pieces.Count
        ? _model.Pieces[id].Text : _added.GetValueOrDefault(id)?.Content;

    /// <inheritdoc/>
    public override IdDecoder CreateDecoder(StringBuilder output) => new SentencePieceDecoder(_model, _added, output);

    private void EncodePiece(string text, IReadOnlySet<int>? forbidden, List<int> ids)
    {
        var pieces = new List<(int Id, int End)>();
        _encoder.Split(text, forbidden, pieces);
        int start = 0;
        bool afterUnknown = false;
        Span<byte> bytes = stackalloc byte[4];
        foreach ((int id, int end) in pieces)
        {
            bool unknown = id == _model.UnknownId;
            if (unknown && _model.ByteFallback)
            {
                foreach (Rune rune in text.AsSpan(start, end - start).EnumerateRunes())
                {
                    int count = rune.EncodeToUtf8(bytes);
                    for (int i = 0; i < count; i++)
                    {
                        ids.Add(_byteIds[bytes[i]]);
                    }
                }
            }
            else if (!unknown || !afterUnknown)
            {
                ids.Add(id);
            }
            afterUnknown = unknown;
            start = end;
        }
    }

    private string? ControlOrNull(string piece) =>
        _ids.TryGetValue(piece, out int id) && id < _model.Pieces.Count && _model.Pieces[id].Type == PieceType.Control ? piece : null;
}
