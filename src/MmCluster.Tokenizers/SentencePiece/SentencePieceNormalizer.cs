using System.Text;
using MmCluster.Tokenizers.Subwords;

namespace MmCluster.Tokenizers.SentencePiece;

/// <summary>
/// SentencePiece's normalization: user-defined symbols stay as they are, the charsmap rewrites the rest longest key
/// first, runs of spaces collapse when asked, and spaces become U+2581. Thread-safe.
/// </summary>
internal sealed class SentencePieceNormalizer
{
    private readonly SentencePieceModel _model;
    private readonly CharTrie _userSymbols = new(); // over bytes
    private readonly byte[] _space;

    public SentencePieceNormalizer(SentencePieceModel model)
    {
        _model = model;
        _space = model.EscapeWhitespaces ? "▁"u8.ToArray() : " "u8.ToArray();
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            if (model.Pieces[id].Type == PieceType.UserDefined)
            {
                byte[] bytes = Encoding.UTF8.GetBytes(model.Pieces[id].Text);
                _userSymbols.Add(Array.ConvertAll(bytes, b => (char)b), id);
            }
        }
    }

    /// <summary>The normalized text; <paramref name="dummyPrefix"/> is whether a space may be put before it.</summary>
    public string Apply(string text, bool dummyPrefix)
    {
        ReadOnlySpan<byte> input = Encoding.UTF8.GetBytes(text);
        bool collapse = _model.RemoveExtraWhitespaces;
        while (collapse && !input.IsEmpty)
        {
            int length = Prefix(input, out ReadOnlySpan<byte> first);
            if (!first.SequenceEqual(" "u8))
            {
                break;
            }
            input = input[length..];
        }
        if (input.IsEmpty)
        {
            return "";
        }
        var output = new List<byte>(input.Length + 16);
        bool addSpace = dummyPrefix && _model.AddDummyPrefix;
        if (addSpace && !_model.TreatWhitespaceAsSuffix)
        {
            output.AddRange(_space);
        }
        bool afterSpace = collapse;
        while (!input.IsEmpty)
        {
            int length = Prefix(input, out ReadOnlySpan<byte> piece);
            input = input[length..];
            while (afterSpace && !piece.IsEmpty && piece[0] == ' ')
            {
                piece = piece[1..];
            }
            foreach (byte b in piece)
            {
                if (b == ' ')
                {
                    output.AddRange(_space);
                }
                else
                {
                    output.Add(b);
                }
            }
            if (!piece.IsEmpty)
            {
                afterSpace = collapse && piece[^1] == ' ';
            }
        }
        if (collapse)
        {
            TrimEnd(output);
        }
        if (addSpace && _model.TreatWhitespaceAsSuffix)
        {
            output.AddRange(_space);
        }
        return Encoding.UTF8.GetString(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(output));
    }

    private void TrimEnd(List<byte> output)
    {
        int end = output.Count;
        while (end >= _space.Length && System.Runtime.InteropServices.CollectionsMarshal.AsSpan(output)[..end].EndsWith(_space))
        {
            end -= _space.Length;
        }
        output.RemoveRange(end, output.Count - end);
    }

    // How many bytes of the input the next step takes, and what it becomes.
    private int Prefix(ReadOnlySpan<byte> input, out ReadOnlySpan<byte> replacement)
    {
        int symbol = UserSymbol(input);
        if (symbol > 0)
        {
            replacement = input[..symbol];
            return symbol;
        }
        if (_model.CharsMap is { } map && map.LongestPrefix(input, out replacement) is > 0 and var mapped)
        {
            return mapped;
        }
        if (Rune.DecodeFromUtf8(input, out _, out int length) != System.Buffers.OperationStatus.Done)
        {
            replacement = "\uFFFD"u8;
            return 1;
        }
        replacement = input[..length];
        return length;
    }

    private int UserSymbol(ReadOnlySpan<byte> input)
    {
        int longest = 0;
        int node = CharTrie.Root;
        for (int i = 0; i < input.Length; i++)
        {
            node = _userSymbols.Step(node, (char)input[i]);
            if (node == CharTrie.None)
            {
                break;
            }
            if (_userSymbols.ValueAt(node) != CharTrie.None)
            {
                longest = i + 1;
            }
        }
        return longest;
    }
}
