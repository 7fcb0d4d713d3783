using MmCluster.Tokenizers.Subwords;

namespace MmCluster.Tokenizers.SentencePiece;

/// <summary>What a piece is for (sentencepiece_model.proto).</summary>
internal enum PieceType
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>A piece of the vocabulary; its place in the list is its id.</summary>
internal readonly record struct Piece(string Text, float Score, PieceType Type);

/// <summary>The fields of a SentencePiece model that encoding and decoding need, with the defaults of its .proto.</summary>
internal sealed class SentencePieceModel
{
    private const int Unigram = 1;
    private const int Bpe = 2;

    private int _modelType = Unigram;
    private bool _hasDenormalizer;

    public List<Piece> Pieces { get; } = [];
    public bool IsBpe => _modelType == Bpe;
    public bool ByteFallback { get; private set; }
    public bool TreatWhitespaceAsSuffix { get; private set; }
    public string UnknownSurface { get; private set; } = " \u2047 ";
    public string UnknownPiece { get; private set; } = "<unk>";
    public string BosPiece { get; private set; } = "<s>";
    public string EosPiece { get; private set; } = "</s>";
    public string PadPiece { get; private set; } = "<pad>";
    public bool AddDummyPrefix { get; private set; } = true;
    public bool RemoveExtraWhitespaces { get; private set; } = true;
    public bool EscapeWhitespaces { get; private set; } = true;
    public CharsMap? CharsMap { get; private set; }
    public int UnknownId { get; private set; } = -1;

    /// <summary>Parses a file's content; <paramref name="name"/> stands in errors.</summary>
    public static SentencePieceModel Parse(ReadOnlySpan<byte> data, string name)
    {
        var model = new SentencePieceModel();
        var reader = new ProtoReader(data, name);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    model.Pieces.Add(ReadPiece(reader.ReadMessage()));
                    break;
                case 2:
                    model.ReadTrainerSpec(reader.ReadMessage());
                    break;
                case 3:
                    model.ReadNormalizerSpec(reader.ReadMessage(), name);
                    break;
                case 5:
                    model.ReadDenormalizerSpec(reader.ReadMessage());
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
        model.Check(name);
        return model;
    }

    private static Piece ReadPiece(ProtoReader reader)
    {
        string text = "";
        float score = 0;
        var type = PieceType.Normal;
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    text = reader.ReadString();
                    break;
                case 2:
                    score = reader.ReadFloat();
                    break;
                case 3:
                    type = (PieceType)reader.ReadInt();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
        return new Piece(text, score, type);
    }

    private void ReadTrainerSpec(ProtoReader reader)
    {
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 3:
                    _modelType = reader.ReadInt();
                    break;
                case 24:
                    TreatWhitespaceAsSuffix = reader.ReadBool();
                    break;
                case 35:
                    ByteFallback = reader.ReadBool();
                    break;
                case 44:
                    UnknownSurface = reader.ReadString();
                    break;
                case 45:
                    UnknownPiece = NotEmpty(reader.ReadString(), UnknownPiece);
                    break;
                case 46:
                    BosPiece = NotEmpty(reader.ReadString(), BosPiece);
                    break;
                case 47:
                    EosPiece = NotEmpty(reader.ReadString(), EosPiece);
                    break;
                case 48:
                    PadPiece = NotEmpty(reader.ReadString(), PadPiece);
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
    }

    private void ReadNormalizerSpec(ProtoReader reader, string name)
    {
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 2:
                    ReadOnlySpan<byte> blob = reader.ReadBytes();
                    CharsMap = blob.IsEmpty ? null : CharsMap.Parse(blob, name);
                    break;
                case 3:
                    AddDummyPrefix = reader.ReadBool();
                    break;
                case 4:
                    RemoveExtraWhitespaces = reader.ReadBool();
                    break;
                case 5:
                    EscapeWhitespaces = reader.ReadBool();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
    }

    private void ReadDenormalizerSpec(ProtoReader reader)
    {
        while (reader.Next())
        {
            if (reader.Field == 2)
            {
                _hasDenormalizer |= !reader.ReadBytes().IsEmpty;
            }
            else
            {
                reader.Skip();
            }
        }
    }

    private void Check(string name)
    {
        if (_modelType is not (Unigram or Bpe))
        {
            throw new NotSupportedException($"{name}: model_type {_modelType} (3 is WORD, 4 is CHAR) is not supported; known: UNIGRAM, BPE");
        }
        if (_hasDenormalizer)
        {
            throw new NotSupportedException($"{name}: denormalizer_spec is not supported");
        }
        if (Pieces.Count is 0 or > Vocabulary.MaxId)
        {
            throw new InvalidDataException($"{name}: {Pieces.Count} pieces; expected 1 to {Vocabulary.MaxId}");
        }
        for (int id = 0; id < Pieces.Count; id++)
        {
            Piece piece = Pieces[id];
            if (piece.Text.Length == 0 || !Enum.IsDefined(piece.Type) || !float.IsFinite(piece.Score))
            {
                throw new InvalidDataException($"{name}: piece {id} ('{piece.Text}', type {(int)piece.Type}, score {piece.Score}) is broken");
            }
            if (piece.Type == PieceType.Byte && !Decoders.ByteFallbackDecoder.TryParse(piece.Text, out _))
            {
                throw new InvalidDataException($"{name}: piece {id} '{piece.Text}' is no byte");
            }
            if (piece.Type == PieceType.Unknown)
            {
                UnknownId = UnknownId < 0 ? id : throw new InvalidDataException($"{name}: two unknown pieces, {UnknownId} and {id}");
            }
        }
        if (UnknownId < 0)
        {
            throw new InvalidDataException($"{name}: no unknown piece");
        }
    }

    private static string NotEmpty(string text, string otherwise) => text.Length == 0 ? otherwise : text;
}
