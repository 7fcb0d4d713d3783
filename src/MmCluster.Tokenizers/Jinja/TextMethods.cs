using System.Globalization;
using System.Text;
using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Jinja;

/// <summary>What Python's str methods do, with each character's origin kept.</summary>
internal static class TextMethods
{
    /// <summary>Runs of letters, digits and underscores.</summary>
    public static int CountWords(string text)
    {
        int count = 0;
        bool isInside = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bool isWord = Rune.IsLetterOrDigit(rune) || Rune.IsNumber(rune) || rune.Value == '_';
            count += isWord && !isInside ? 1 : 0;
            isInside = isWord;
        }
        return count;
    }

    /// <summary>Python's str.isspace for one character.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1C' and <= '\x1F';

    public static TextValue Strip(TextValue text, Value? characters, bool left, bool right) => characters switch
    {
        null or NoneValue => text.Strip(IsSpace, left, right),
        TextValue set => text.Strip(c => set.Text.Contains(c), left, right),
        _ => throw new TemplateFailure($"strip: the characters are a {characters.TypeName}"),
    };

    public static TextValue Replace(TextValue text, TextValue old, TextValue by, long count, Budget budget)
    {
        var result = new TextValue.Builder(budget);
        int plain = 0;
        if (old.Text.Length == 0)
        {
            // Between all characters, as Python does.
            IReadOnlyList<Value> characters = text.Characters();
            for (int i = 0; i <= characters.Count; i++)
            {
                if (count < 0 || i < count)
                {
                    result.Append(by);
                }
                if (i < characters.Count)
                {
                    result.Append((TextValue)characters[i]);
                }
            }
            return result.Build();
        }
        for (int at; count != 0 && (at = text.Text.IndexOf(old.Text, plain, StringComparison.Ordinal)) >= 0; count--)
        {
            result.Append(text, plain, at - plain).Append(by);
            plain = at + old.Text.Length;
        }
        return result.Append(text, plain, text.Text.Length - plain).Build();
    }

    public static List<Value> Split(TextValue text, Value? separator, long limit, bool fromRight)
    {
        if (separator is null or NoneValue)
        {
            return SplitAtSpace(text, limit, fromRight);
        }
        if (separator is not TextValue { Text.Length: > 0 } mark)
        {
            throw new TemplateFailure("split: empty separator");
        }
        var parts = new List<Value>();
        int start = 0;
        int end = text.Text.Length;
        while (limit < 0 || parts.Count < limit)
        {
            int at = fromRight
                ? text.Text[..end].LastIndexOf(mark.Text, StringComparison.Ordinal)
                : text.Text.IndexOf(mark.Text, start, StringComparison.Ordinal);
            if (at < 0)
            {
                break;
            }
            if (fromRight)
            {
                parts.Add(text.Slice(at + mark.Text.Length, end - at - mark.Text.Length));
                end = at;
            }
            else
            {
                parts.Add(text.Slice(start, at - start));
                start = at + mark.Text.Length;
            }
        }
        parts.Add(text.Slice(start, end - start));
        if (fromRight)
        {
            parts.Reverse();
        }
        return parts;
    }

    public static List<Value> SplitLines(TextValue text, bool keepEnds)
    {
        var lines = new List<Value>();
        for (int start = 0; start < text.Text.Length;)
        {
            int end = start;
            while (end < text.Text.Length && !IsLineEnd(text.Text[end]))
            {
                end++;
            }
            int next = Math.Min(text.Text.Length, end + 1);
            if (end + 1 < text.Text.Length && text.Text[end] == '\r' && text.Text[end + 1] == '\n')
            {
                next++;
            }
            lines.Add(text.Slice(start, (keepEnds ? next : end) - start));
            start = next;
        }
        return lines;
    }

    public static TextValue Upper(TextValue text)
    {
        // .NET's invariant casing leaves the dotless i alone.
        string upper = text.Text.ToUpperInvariant().Replace('ı', 'I');
        // The one full mapping that ordinary text meets.
        return text.Mapped(upper.Contains('ß') ? upper.Replace("ß", "SS", StringComparison.Ordinal) : upper);
    }

    public static TextValue Lower(TextValue text)
    {
        string lower = text.Text.ToLowerInvariant();
        return text.Mapped(lower.Contains('\u0130') ? lower.Replace("\u0130", "i\u0307", StringComparison.Ordinal) : lower);
    }

    public static TextValue Capitalize(TextValue text, Budget budget)
    {
        if (text.Text.Length == 0)
        {
            return text;
        }
        CodePoints.At(text.Text, 0, out int first);
        return new TextValue.Builder(budget)
            .Append(Upper(text.Slice(0, first)))
            .Append(Lower(text.Slice(first, text.Text.Length - first)))
            .Build();
    }

    /// <summary>str.title: a letter after a letter is lower case, any other letter upper case.</summary>
    public static TextValue Title(TextValue text)
    {
        var result = new StringBuilder(text.Text.Length);
        bool inside = false;
        foreach (Rune rune in text.Text.EnumerateRunes())
        {
            result.Append(inside ? Rune.ToLowerInvariant(rune) : Rune.ToUpperInvariant(rune));
            inside = Rune.IsLetter(rune);
        }
        return text.Mapped(result.ToString());
    }

    /// <summary>The title filter: words begin after space, hyphen and opening brackets.</summary>
    public static TextValue TitleWords(TextValue text)
    {
        var result = new StringBuilder(text.Text.Length);
        bool inside = false;
        foreach (Rune rune in text.Text.EnumerateRunes())
        {
            result.Append(inside ? Rune.ToLowerInvariant(rune) : Rune.ToUpperInvariant(rune));
            inside = !(Rune.IsWhiteSpace(rune) || rune.Value is '-' or '(' or '{' or '[' or '<');
        }
        return text.Mapped(result.ToString());
    }

    public static TextValue Pad(TextValue text, Arguments arguments, bool left, bool right, string function, Budget budget)
    {
        arguments.Allow(function, "width", "fillchar");
        if (!Operators.TryInteger(arguments.Required(0, "width", function), out long width))
        {
            throw new TemplateFailure($"{function}: the width is no integer");
        }
        TextValue fill = arguments.Get(1, "fillchar") is TextValue { Text.Length: 1 } one ? one : new TextValue(" ");
        long missing = Math.Max(0, width - text.Length);
        budget.Grow(missing);
        int before = left && right ? (int)(missing / 2 + (missing & width & 1)) : left ? (int)missing : 0;
        return new TextValue.Builder(budget)
            .Append(new string(fill.Text[0], before), fill.AnyUntrusted)
            .Append(text)
            .Append(new string(fill.Text[0], (int)missing - before), fill.AnyUntrusted)
            .Build();
    }

    /// <summary>Whether every character passes, and there is one.</summary>
    public static bool All(TextValue text, Func<Rune, bool> test)
    {
        bool all = text.Text.Length > 0;
        foreach (Rune rune in text.Text.EnumerateRunes())
        {
            all &= test(rune);
        }
        return all;
    }

    /// <summary>Whether the cased characters are all of one case, and there is one.</summary>
    public static bool IsCased(TextValue text, bool upper)
    {
        bool any = false;
        foreach (Rune rune in text.Text.EnumerateRunes())
        {
            if (Rune.IsUpper(rune) != upper && (Rune.IsUpper(rune) || Rune.IsLower(rune)))
            {
                return false;
            }
            any |= Rune.IsUpper(rune) || Rune.IsLower(rune);
        }
        return any;
    }

    public static bool IsDigit(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber;

    private static bool IsLineEnd(char c) =>
        c is '\n' or '\r' or '\v' or '\f' or (>= '\x1C' and <= '\x1E') or '\x85' or '\u2028' or '\u2029';

    private static List<Value> SplitAtSpace(TextValue text, long limit, bool fromRight)
    {
        var parts = new List<Value>();
        string source = text.Text;
        int start = 0;
        int end = source.Length;
        while (true)
        {
            while (!fromRight && start < end && IsSpace(source[start]))
            {
                start++;
            }
            while (fromRight && end > start && IsSpace(source[end - 1]))
            {
                end--;
            }
            if (start >= end)
            {
                break;
            }
            if (limit >= 0 && parts.Count >= limit)
            {
                parts.Add(text.Slice(start, end - start));
                break;
            }
            int from = fromRight ? end : start;
            int to = from;
            while (!fromRight && to < end && !IsSpace(source[to]))
            {
                to++;
            }
            while (fromRight && from > start && !IsSpace(source[from - 1]))
            {
                from--;
            }
            parts.Add(text.Slice(from, to - from));
            (start, end) = fromRight ? (start, from) : (to, end);
        }
        if (fromRight)
        {
            parts.Reverse();
        }
        return parts;
    }
}
