using System.Globalization;

namespace MmCluster.Tokenizers.Unicode;

/// <summary>Unicode general categories and the few derived properties that tokenizers ask for.</summary>
internal static class Categories
{
    public const uint Letter = 1u << (int)UnicodeCategory.UppercaseLetter | 1u << (int)UnicodeCategory.LowercaseLetter
        | 1u << (int)UnicodeCategory.TitlecaseLetter | 1u << (int)UnicodeCategory.ModifierLetter
        | 1u << (int)UnicodeCategory.OtherLetter;

    public const uint Mark = 1u << (int)UnicodeCategory.NonSpacingMark | 1u << (int)UnicodeCategory.SpacingCombiningMark
        | 1u << (int)UnicodeCategory.EnclosingMark;

    public const uint Number = 1u << (int)UnicodeCategory.DecimalDigitNumber | 1u << (int)UnicodeCategory.LetterNumber
        | 1u << (int)UnicodeCategory.OtherNumber;

    public const uint Punctuation = 1u << (int)UnicodeCategory.ConnectorPunctuation
        | 1u << (int)UnicodeCategory.DashPunctuation | 1u << (int)UnicodeCategory.OpenPunctuation
        | 1u << (int)UnicodeCategory.ClosePunctuation | 1u << (int)UnicodeCategory.InitialQuotePunctuation
        | 1u << (int)UnicodeCategory.FinalQuotePunctuation | 1u << (int)UnicodeCategory.OtherPunctuation;

    public const uint Symbol = 1u << (int)UnicodeCategory.MathSymbol | 1u << (int)UnicodeCategory.CurrencySymbol
        | 1u << (int)UnicodeCategory.ModifierSymbol | 1u << (int)UnicodeCategory.OtherSymbol;

    public const uint Separator = 1u << (int)UnicodeCategory.SpaceSeparator
        | 1u << (int)UnicodeCategory.LineSeparator | 1u << (int)UnicodeCategory.ParagraphSeparator;

    /// <summary>Control, format, private use and surrogates, but not what is unassigned.</summary>
    public const uint AssignedOther = Other & ~(1u << (int)UnicodeCategory.OtherNotAssigned);

    public const uint Other = 1u << (int)UnicodeCategory.Control | 1u << (int)UnicodeCategory.Format
        | 1u << (int)UnicodeCategory.Surrogate | 1u << (int)UnicodeCategory.PrivateUse
        | 1u << (int)UnicodeCategory.OtherNotAssigned;

    private static readonly byte[] Bmp = BuildBmp();

    /// <summary>The category's bit: 1 &lt;&lt; (int)category.</summary>
    public static uint Bit(int codePoint) => 1u << (codePoint < 0x10000 ? Bmp[codePoint] : (int)CharUnicodeInfo.GetUnicodeCategory(codePoint));

    /// <summary>Whether the code point's category is one of <paramref name="mask"/>.</summary>
    public static bool Is(int codePoint, uint mask) => (Bit(codePoint) & mask) != 0;

    /// <summary>The White_Space property (PropList.txt).</summary>
    public static bool IsWhiteSpace(int codePoint) => codePoint < 0x10000 && char.IsWhiteSpace((char)codePoint);

    /// <summary>ASCII punctuation and symbols, as C's ispunct has them.</summary>
    public static bool IsAsciiPunctuation(int c) =>
        c is (>= 0x21 and <= 0x2F) or (>= 0x3A and <= 0x40) or (>= 0x5B and <= 0x60) or (>= 0x7B and <= 0x7E);

    /// <summary>Punctuation as the BERT family sees it: ASCII symbols count too.</summary>
    public static bool IsPunctuation(int codePoint) => IsAsciiPunctuation(codePoint) || Is(codePoint, Punctuation);

    /// <summary>Alphabetic, mark, decimal number or connector: what \w means in UTS 18.</summary>
    public static bool IsWord(int codePoint) =>
        Is(codePoint, Letter | Mark | 1u << (int)UnicodeCategory.DecimalDigitNumber
            | 1u << (int)UnicodeCategory.LetterNumber | 1u << (int)UnicodeCategory.ConnectorPunctuation)
        // Other_Alphabetic outside L, M and Nl: circled and squared letters.
        || codePoint is (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169)
            or (>= 0x1F170 and <= 0x1F189);

    /// <summary>What \w means to Oniguruma: to UTS 18's set it adds the superscript and fraction digits of Latin-1.</summary>
    public static bool IsOnigurumaWord(int codePoint) =>
        IsWord(codePoint) || codePoint is 0xB2 or 0xB3 or 0xB9 or (>= 0xBC and <= 0xBE);

    /// <summary>What \w means to Rust's regex: to UTS 18's set it adds the joiners.</summary>
    public static bool IsRustWord(int codePoint) => IsWord(codePoint) || codePoint is 0x200C or 0x200D;

    private static byte[] BuildBmp()
    {
        byte[] table = new byte[0x10000];
        for (int i = 0; i < table.Length; i++)
        {
            table[i] = (byte)CharUnicodeInfo.GetUnicodeCategory(i);
        }
        return table;
    }
}
