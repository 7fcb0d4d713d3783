using System.Globalization;
using System.Text;
using MmCluster.Tokenizers.SentencePiece;

namespace MmCluster.Tokenizers.Normalizers;

/// <summary>
/// SentencePiece's precompiled map as tokenizer.json applies it: to graphemes of less than six bytes as a whole, else to
/// single characters, always by the shortest key.
/// </summary>
internal sealed class PrecompiledNormalizer(CharsMap map) : Normalizer
{
    public override TaintedText Apply(TaintedText text)
    {
        var builder = new TaintedBuilder(text);
        byte[] bytes = new byte[4];
        Span<byte> small = stackalloc byte[24];
        for (int i = 0; i < text.Text.Length;)
        {
            int length = StringInfo.GetNextTextElementLength(text.Text, i);
            ReadOnlySpan<char> grapheme = text.Text.AsSpan(i, length);
            if (length < 6 && Encoding.UTF8.GetByteCount(grapheme) < 6
                && map.ReplacementOfShortest(small[..Encoding.UTF8.GetBytes(grapheme, small)]) is { } whole)
            {
                builder.Replace(whole, i, i + length);
                i += length;
                continue;
            }
            foreach (Rune rune in grapheme.EnumerateRunes())
            {
                if (map.ReplacementOfShortest(bytes.AsSpan(0, rune.EncodeToUtf8(bytes))) is { } one)
                {
                    builder.Replace(one, i, i + rune.Utf16SequenceLength);
                }
                else
                {
                    builder.Copy(i, i + rune.Utf16SequenceLength);
                }
                i += rune.Utf16SequenceLength;
            }
        }
        return builder.Build();
    }
}
