using System.Globalization;
using System.Text;
using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Normalizers;

/// <summary>Rewrites one code point at a time.</summary>
internal abstract class CharacterNormalizer : Normalizer
{
    public sealed override TaintedText Apply(TaintedText text)
    {
        var builder = new TaintedBuilder(text);
        Span<char> replacement = stackalloc char[8];
        for (int i = 0; i < text.Text.Length;)
        {
            int codePoint = CodePoints.At(text.Text, i, out int length);
            int written = Map(codePoint, replacement);
            if (written < 0)
            {
                builder.Copy(i, i + length);
            }
            else
            {
                builder.Replace(replacement[..written], i, i + length);
            }
            i += length;
        }
        return builder.Build();
    }

    /// <summary>Writes what replaces the code point and returns its length (0 removes it), or -1 to keep it.</summary>
    protected abstract int Map(int codePoint, Span<char> replacement);
}

/// <summary>Lower case without regard to context or culture.</summary>
internal sealed class LowercaseNormalizer : CharacterNormalizer
{
    protected override int Map(int codePoint, Span<char> replacement) => Lower(codePoint, replacement);

    /// <summary>Writes the full lower-case mapping, or returns -1 when the code point is its own.</summary>
    internal static int Lower(int codePoint, Span<char> replacement)
    {
        // The one code point whose unconditional lower case has two (SpecialCasing.txt).
        if (codePoint == 0x130)
        {
            replacement[0] = 'i';
            replacement[1] = '\u0307';
            return 2;
        }
        if (!Rune.TryCreate(codePoint, out Rune rune))
        {
            return -1;
        }
        Rune lower = Rune.ToLowerInvariant(rune);
        return lower == rune ? -1 : lower.EncodeToUtf16(replacement);
    }
}

/// <summary>Drops combining marks.</summary>
internal sealed class StripAccentsNormalizer : CharacterNormalizer
{
    protected override int Map(int codePoint, Span<char> replacement) =>
        Categories.Is(codePoint, Categories.Mark) ? 0 : -1;
}

/// <summary>Bytes of the UTF-8 form as the visible letters of byte-level vocabularies.</summary>
internal sealed class ByteLevelNormalizer : CharacterNormalizer
{
    protected override int Map(int codePoint, Span<char> replacement)
    {
        Span<byte> bytes = stackalloc byte[4];
        int count = (Rune.TryCreate(codePoint, out Rune rune) ? rune : Rune.ReplacementChar).EncodeToUtf8(bytes);
        for (int i = 0; i < count; i++)
        {
            replacement[i] = ByteLetters.OfByte(bytes[i]);
        }
        return count;
    }
}

/// <summary>The clean-up of the NMT normalization rule: control characters go, odd spaces become spaces.</summary>
internal sealed class NmtNormalizer : CharacterNormalizer
{
    protected override int Map(int codePoint, Span<char> replacement)
    {
        switch (codePoint)
        {
            case (>= 0x01 and <= 0x08) or 0x0B or (>= 0x0E and <= 0x1F) or 0x7F or 0x8F or 0x9F:
                return 0;
            case 0x09 or 0x0A or 0x0C or 0x0D or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029 or 0x2581
                or 0xFEFF or 0xFFFD:
                replacement[0] = ' ';
                return 1;
            default:
                return -1;
        }
    }
}

/// <summary>BERT's basic clean-up, before accents and case.</summary>
internal sealed class BertCleanNormalizer(bool cleanText, bool spaceChinese) : CharacterNormalizer
{
    protected override int Map(int codePoint, Span<char> replacement)
    {
        if (cleanText)
        {
            if (codePoint is '\t' or '\n' or '\r')
            {
                replacement[0] = ' ';
                return 1;
            }
            if (codePoint is 0 or 0xFFFD || Categories.Is(codePoint, Categories.AssignedOther))
            {
                return 0;
            }
            if (Categories.IsWhiteSpace(codePoint))
            {
                replacement[0] = ' ';
                return 1;
            }
        }
        if (!spaceChinese || !IsChinese(codePoint))
        {
            return -1;
        }
        replacement[0] = ' ';
        int length = new Rune(codePoint).EncodeToUtf16(replacement[1..]);
        replacement[length + 1] = ' ';
        return length + 2;
    }

    // The CJK blocks as BERT's reference tokenizer lists them.
    private static bool IsChinese(int c) => c is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF)
        or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F)
        or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
}

/// <summary>Drops nonspacing marks, as BERT's accent stripping does after NFD.</summary>
internal sealed class StripNonSpacingMarksNormalizer : CharacterNormalizer
{
    protected override int Map(int codePoint, Span<char> replacement) =>
        Categories.Is(codePoint, 1u << (int)UnicodeCategory.NonSpacingMark) ? 0 : -1;
}
