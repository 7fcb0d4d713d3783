using System.Globalization;
using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Patterns;

/// <summary>The named sets of a regular expression: \p{..}, \s, [:alpha:].</summary>
internal static class ClassTerms
{
    private static readonly Dictionary<string, uint> Masks = new(StringComparer.OrdinalIgnoreCase)
    {
        ["L"] = Categories.Letter,
        ["Letter"] = Categories.Letter,
        ["M"] = Categories.Mark,
        ["Mark"] = Categories.Mark,
        ["N"] = Categories.Number,
        ["Number"] = Categories.Number,
        ["P"] = Categories.Punctuation,
        ["Punctuation"] = Categories.Punctuation,
        ["S"] = Categories.Symbol,
        ["Symbol"] = Categories.Symbol,
        ["Z"] = Categories.Separator,
        ["Separator"] = Categories.Separator,
        ["C"] = Categories.Other,
        ["Other"] = Categories.Other,
        ["Lu"] = Bit(UnicodeCategory.UppercaseLetter),
        ["Ll"] = Bit(UnicodeCategory.LowercaseLetter),
        ["Lt"] = Bit(UnicodeCategory.TitlecaseLetter),
        ["Lm"] = Bit(UnicodeCategory.ModifierLetter),
        ["Lo"] = Bit(UnicodeCategory.OtherLetter),
        ["Mn"] = Bit(UnicodeCategory.NonSpacingMark),
        ["Mc"] = Bit(UnicodeCategory.SpacingCombiningMark),
        ["Me"] = Bit(UnicodeCategory.EnclosingMark),
        ["Nd"] = Bit(UnicodeCategory.DecimalDigitNumber),
        ["Nl"] = Bit(UnicodeCategory.LetterNumber),
        ["No"] = Bit(UnicodeCategory.OtherNumber),
        ["Pc"] = Bit(UnicodeCategory.ConnectorPunctuation),
        ["Pd"] = Bit(UnicodeCategory.DashPunctuation),
        ["Ps"] = Bit(UnicodeCategory.OpenPunctuation),
        ["Pe"] = Bit(UnicodeCategory.ClosePunctuation),
        ["Pi"] = Bit(UnicodeCategory.InitialQuotePunctuation),
        ["Pf"] = Bit(UnicodeCategory.FinalQuotePunctuation),
        ["Po"] = Bit(UnicodeCategory.OtherPunctuation),
        ["Sm"] = Bit(UnicodeCategory.MathSymbol),
        ["Sc"] = Bit(UnicodeCategory.CurrencySymbol),
        ["Sk"] = Bit(UnicodeCategory.ModifierSymbol),
        ["So"] = Bit(UnicodeCategory.OtherSymbol),
        ["Zs"] = Bit(UnicodeCategory.SpaceSeparator),
        ["Zl"] = Bit(UnicodeCategory.LineSeparator),
        ["Zp"] = Bit(UnicodeCategory.ParagraphSeparator),
        ["Cc"] = Bit(UnicodeCategory.Control),
        ["Cf"] = Bit(UnicodeCategory.Format),
        ["Co"] = Bit(UnicodeCategory.PrivateUse),
        ["Cn"] = Bit(UnicodeCategory.OtherNotAssigned),
        ["Cs"] = Bit(UnicodeCategory.Surrogate),
    };

    // Scripts.txt, the ranges of the scripts that published patterns name.
    private static readonly Dictionary<string, int[]> Scripts = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Han"] =
        [
            0x2E80, 0x2E99, 0x2E9B, 0x2EF3, 0x2F00, 0x2FD5, 0x3005, 0x3005, 0x3007, 0x3007, 0x3021, 0x3029, 0x3038,
            0x303B, 0x3400, 0x4DBF, 0x4E00, 0x9FFF, 0xF900, 0xFA6D, 0xFA70, 0xFAD9, 0x16FE2, 0x16FE3, 0x16FF0, 0x16FF1,
            0x20000, 0x2A6DF, 0x2A700, 0x2B739, 0x2B740, 0x2B81D, 0x2B820, 0x2CEA1, 0x2CEB0, 0x2EBE0, 0x2EBF0, 0x2EE5D,
            0x2F800, 0x2FA1D, 0x30000, 0x3134A, 0x31350, 0x323AF,
        ],
        ["Hiragana"] = [0x3041, 0x3096, 0x309D, 0x309F, 0x1B001, 0x1B11F, 0x1B132, 0x1B132, 0x1B150, 0x1B152, 0x1F200, 0x1F200],
        ["Katakana"] =
        [
            0x30A1, 0x30FA, 0x30FD, 0x30FF, 0x31F0, 0x31FF, 0x32D0, 0x32FE, 0x3300, 0x3357, 0xFF66, 0xFF6F, 0xFF71, 0xFF9D,
            0x1AFF0, 0x1AFF3, 0x1AFF5, 0x1AFFB, 0x1AFFD, 0x1AFFE, 0x1B000, 0x1B000, 0x1B120, 0x1B122, 0x1B155, 0x1B155,
            0x1B164, 0x1B167,
        ],
        ["Hangul"] =
        [
            0x1100, 0x11FF, 0x302E, 0x302F, 0x3131, 0x318E, 0x3200, 0x321E, 0x3260, 0x327E, 0xA960, 0xA97C, 0xAC00, 0xD7A3,
            0xD7B0, 0xD7C6, 0xD7CB, 0xD7FB, 0xFFA0, 0xFFBE, 0xFFC2, 0xFFC7, 0xFFCA, 0xFFCF, 0xFFD2, 0xFFD7, 0xFFDA, 0xFFDC,
        ],
        ["Bopomofo"] = [0x02EA, 0x02EB, 0x3105, 0x312F, 0x31A0, 0x31BF],
    };

    /// <summary>The set behind \p{<paramref name="name"/>}, or null when it is not known.</summary>
    public static Func<int, bool>? Property(string name)
    {
        if (Masks.TryGetValue(name, out uint mask))
        {
            return codePoint => Categories.Is(codePoint, mask);
        }
        if (Scripts.TryGetValue(name, out int[]? ranges))
        {
            return codePoint => InRanges(codePoint, ranges);
        }
        return name.ToUpperInvariant() switch
        {
            "SPACE" or "WHITE_SPACE" or "WHITESPACE" => Categories.IsWhiteSpace,
            "WORD" => Categories.IsOnigurumaWord,
            "ANY" => _ => true,
            "ASCII" => codePoint => codePoint < 128,
            _ => null,
        };
    }

    /// <summary>The set behind [:<paramref name="name"/>:] inside a class, or null when it is not known.</summary>
    public static Func<int, bool>? Posix(string name) => name switch
    {
        "digit" => Property("Nd"),
        "upper" => Property("Lu"),
        "lower" => Property("Ll"),
        "punct" => codePoint => Categories.Is(codePoint, Categories.Punctuation | Categories.Symbol),
        "space" => Categories.IsWhiteSpace,
        "cntrl" => Property("Cc"),
        "word" => Categories.IsOnigurumaWord,
        "xdigit" => IsHex,
        "blank" => codePoint => codePoint == '\t' || Categories.Is(codePoint, Bit(UnicodeCategory.SpaceSeparator)),
        _ => null,
    };

    /// <summary>The set behind an escape letter (s, S, d, D, w, W, h, H), or null when the letter is no class.</summary>
    public static Func<int, bool>? Escape(char letter) => letter switch
    {
        's' => Categories.IsWhiteSpace,
        'S' => codePoint => !Categories.IsWhiteSpace(codePoint),
        'd' => codePoint => Categories.Is(codePoint, Bit(UnicodeCategory.DecimalDigitNumber)),
        'D' => codePoint => !Categories.Is(codePoint, Bit(UnicodeCategory.DecimalDigitNumber)),
        'w' => Categories.IsOnigurumaWord,
        'W' => codePoint => !Categories.IsOnigurumaWord(codePoint),
        // In Oniguruma's default syntax \h is a hexadecimal digit, not horizontal space.
        'h' => IsHex,
        'H' => codePoint => !IsHex(codePoint),
        _ => null,
    };

    /// <summary>Every code point that equals <paramref name="codePoint"/> but for case (simple folding).</summary>
    public static int[] CaseVariants(int codePoint)
    {
        if (codePoint is >= 0xD800 and <= 0xDFFF || !System.Text.Rune.IsValid(codePoint))
        {
            return [codePoint];
        }
        var rune = new System.Text.Rune(codePoint);
        int lower = System.Text.Rune.ToLowerInvariant(rune).Value;
        int upper = System.Text.Rune.ToUpperInvariant(rune).Value;
        // Letters beside the plain pair, from CaseFolding.txt: long s, Kelvin sign, Angstrom sign.
        int third = lower switch { 's' or 0x17F => 0x17F, 'k' => 0x212A, 0xE5 => 0x212B, _ => codePoint };
        return lower == 0x17F ? ['s', 'S', 0x17F] : [.. new[] { codePoint, lower, upper, third }.Distinct()];
    }

    private static bool InRanges(int codePoint, int[] ranges)
    {
        for (int i = 0; i < ranges.Length; i += 2)
        {
            if (codePoint >= ranges[i] && codePoint <= ranges[i + 1])
            {
                return true;
            }
        }
        return false;
    }

    private static bool IsHex(int codePoint) => codePoint < 128 && char.IsAsciiHexDigit((char)codePoint);

    private static uint Bit(UnicodeCategory category) => 1u << (int)category;
}
