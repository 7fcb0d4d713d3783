using System.Text;
using MmCluster.Tokenizers.Decoders;

namespace MmCluster.Tokenizers.SentencePiece;

/// <summary>Pieces back to text: U+2581 becomes a space, the one that was put before the text goes, bytes become characters.</summary>
internal sealed class SentencePieceDecoder : IdDecoder
{
    private const char Space = '▁';

    private readonly SentencePieceModel _model;
    private readonly IReadOnlyDictionary<int, AddedToken> _added;
    private readonly StringBuilder _output;
    private readonly ByteTokenStream _bytes;
    private bool _atStart = true;
    private bool _sawPrefix;
    private bool _anyText;

    public SentencePieceDecoder(SentencePieceModel model, IReadOnlyDictionary<int, AddedToken> added, StringBuilder output)
    {
        _model = model;
        _added = added;
        _output = output;
        _bytes = new ByteTokenStream(Emit);
    }

    public override void Write(int id)
    {
        Piece? piece = id >= 0 && id < _model.Pieces.Count ? _model.Pieces[id] : null;
        if (piece is { Type: PieceType.Byte } && ByteFallbackDecoder.TryParse(piece.Value.Text, out byte value))
        {
            _bytes.Write(value);
            return;
        }
        string? added = piece is null ? _added.GetValueOrDefault(id)?.Content : null;
        if (piece is null && added is null)
        {
            return;
        }
        _bytes.Flush();
        if (_sawPrefix || _anyText)
        {
            _atStart = false;
        }
        Emit(added ?? Surface(piece!.Value));
    }

    public override void Finish() => _bytes.Flush();

    private string Surface(Piece piece)
    {
        _sawPrefix = false;
        if (piece.Type == PieceType.Control)
        {
            return "";
        }
        if (piece.Type == PieceType.Unknown)
        {
            return _model.UnknownSurface;
        }
        string text = piece.Text;
        if (_atStart && (_model.AddDummyPrefix || _model.RemoveExtraWhitespaces) && text[0] == Space)
        {
            text = text[1..];
            // Where extra spaces are removed, leading ones go until some text has come.
            _sawPrefix = !_model.RemoveExtraWhitespaces;
        }
        return text.Replace(Space, ' ');
    }

    private void Emit(ReadOnlySpan<char> text)
    {
        _output.Append(text);
        _anyText |= text.Length > 0;
    }
}
