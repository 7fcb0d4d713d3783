using System.Text;
using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Normalizers;

/// <summary>NFC, NFD, NFKC or NFKD.</summary>
internal sealed class UnicodeFormNormalizer(NormalizationForm form) : Normalizer
{
    private const char NonCharacter = '\uFFFE';

    public override TaintedText Apply(TaintedText text)
    {
        if (text.Untrusted is null)
        {
            return text with { Text = Normalize(text.Text) };
        }
        // Piece by piece, so that each flag finds its way: nothing combines across the start of a piece.
        var builder = new TaintedBuilder(text);
        for (int start = 0; start < text.Text.Length;)
        {
            int end = start;
            do
            {
                CodePoints.At(text.Text, end, out int length);
                end += length;
            }
            while (end < text.Text.Length && CombinesBackwards(CodePoints.At(text.Text, end, out _)));
            string piece = text.Text[start..end];
            string normalized = Normalize(piece);
            if (normalized == piece)
            {
                builder.Copy(start, end);
            }
            else
            {
                builder.Replace(normalized, start, end);
            }
            start = end;
        }
        return builder.Build();
    }

    // .NET takes the noncharacter U+FFFE for an error. Nothing combines across it, so the text goes around it.
    private string Normalize(string text)
    {
        if (!text.Contains(NonCharacter))
        {
            return text.IsNormalized(form) ? text : text.Normalize(form);
        }
        return string.Join(NonCharacter, text.Split(NonCharacter).Select(part => part.Normalize(form)));
    }

    // Marks, Hangul vowels and tails, and the halfwidth forms whose compatibility mapping is one of them.
    private static bool CombinesBackwards(int codePoint) => Categories.Is(codePoint, Categories.Mark)
        || codePoint is (>= 0x1160 and <= 0x11FF) or (>= 0xD7B0 and <= 0xD7FB) or (>= 0xFF9E and <= 0xFFDC);
}
