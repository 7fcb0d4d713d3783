using System.Text;

namespace MmCluster.Tokenizers.Unicode;

/// <summary>Steps over UTF-16 text by code point. A lone surrogate counts as one code point of its own value.</summary>
internal static class CodePoints
{
    /// <summary>The code point at <paramref name="index"/> and how many UTF-16 units it takes.</summary>
    public static int At(ReadOnlySpan<char> text, int index, out int length)
    {
        char first = text[index];
        if (char.IsHighSurrogate(first) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]))
        {
            length = 2;
            return char.ConvertToUtf32(first, text[index + 1]);
        }
        length = 1;
        return first;
    }

    /// <summary>The code point that ends just before <paramref name="index"/>.</summary>
    public static int Before(ReadOnlySpan<char> text, int index, out int length)
    {
        char last = text[index - 1];
        if (char.IsLowSurrogate(last) && index >= 2 && char.IsHighSurrogate(text[index - 2]))
        {
            length = 2;
            return char.ConvertToUtf32(text[index - 2], last);
        }
        length = 1;
        return last;
    }

    /// <summary>How many code points <paramref name="text"/> holds.</summary>
    public static int Count(ReadOnlySpan<char> text)
    {
        int pairs = 0;
        for (int i = 1; i < text.Length; i++)
        {
            if (char.IsLowSurrogate(text[i]) && char.IsHighSurrogate(text[i - 1]))
            {
                pairs++;
            }
        }
        return text.Length - pairs;
    }

    /// <summary>Appends one code point to <paramref name="builder"/>.</summary>
    public static void Append(StringBuilder builder, int codePoint)
    {
        if (codePoint < 0x10000)
        {
            builder.Append((char)codePoint);
            return;
        }
        builder.Append((char)(0xD800 + ((codePoint - 0x10000) >> 10)));
        builder.Append((char)(0xDC00 + ((codePoint - 0x10000) & 0x3FF)));
    }

    /// <summary>The text with every lone surrogate replaced by U+FFFD; the same object when there is none.</summary>
    // Everything behind this assumes well-formed text: string.Normalize throws on anything else.
    public static string WithoutLoneSurrogates(string text)
    {
        int bad = FirstLoneSurrogate(text, 0);
        if (bad < 0)
        {
            return text;
        }
        char[] fixedText = text.ToCharArray();
        while (bad >= 0)
        {
            fixedText[bad] = '\uFFFD';
            bad = FirstLoneSurrogate(text, bad + 1);
        }
        return new string(fixedText);
    }

    private static int FirstLoneSurrogate(string text, int start)
    {
        for (int i = start; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
            {
                continue;
            }
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
                continue;
            }
            return i;
        }
        return -1;
    }
}
