using System.Globalization;
using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Patterns;

/// <summary>Reads [...] and the escapes that stand for sets or single code points.</summary>
internal sealed class ClassParser(string source, bool ignoreCase)
{
    private const int MaxDepth = 20;

    /// <summary>Reads a class whose '[' stands at <paramref name="at"/>, up to and including its ']'.</summary>
    public Func<int, bool> Parse(ref int at) => Parse(ref at, 0);

    /// <summary>Reads an escape that stands at <paramref name="at"/>: a set, or a single code point.</summary>
    public (int CodePoint, Func<int, bool>? Set) ParseEscape(ref int at)
    {
        int start = at++;
        if (at >= source.Length)
        {
            throw Bad(start, "a backslash at the end");
        }
        char letter = source[at];
        if (letter is 'p' or 'P')
        {
            return (0, ParseProperty(ref at));
        }
        if (ClassTerms.Escape(letter) is { } set)
        {
            at++;
            return (0, set);
        }
        if (letter is 'x' or 'u')
        {
            return (ParseHex(ref at), null);
        }
        int? control = letter switch
        {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'f' => '\f',
            'v' => '\v',
            'a' => '\a',
            'e' => 0x1B,
            '0' => 0,
            _ => null,
        };
        if (control is null && char.IsAsciiLetterOrDigit(letter))
        {
            throw Bad(start, $"escape '\\{letter}'");
        }
        int codePoint = CodePoints.At(source, at, out int length);
        at += length;
        return (control ?? codePoint, null);
    }

    private Func<int, bool> Parse(ref int at, int depth)
    {
        int start = at++;
        if (depth > MaxDepth)
        {
            throw Bad(start, $"classes nested deeper than {MaxDepth}");
        }
        bool negated = at < source.Length && source[at] == '^';
        if (negated)
        {
            at++;
        }
        var intersected = new List<Func<int, bool>>();
        var terms = new List<Func<int, bool>>();
        for (bool first = true; ; first = false)
        {
            if (at >= source.Length)
            {
                throw Bad(start, "an unclosed class");
            }
            if (source[at] == ']' && !first)
            {
                at++;
                break;
            }
            if (source.AsSpan(at).StartsWith("&&"))
            {
                at += 2;
                intersected.Add(Any(terms));
                terms = [];
                continue;
            }
            terms.Add(ParseTerm(ref at, depth));
        }
        intersected.Add(Any(terms));
        Func<int, bool>[] all = [.. intersected];
        Func<int, bool> inside = all.Length == 1 ? all[0] : codePoint => Array.TrueForAll(all, set => set(codePoint));
        return negated ? codePoint => !inside(codePoint) : inside;
    }

    private Func<int, bool> ParseTerm(ref int at, int depth)
    {
        if (source.AsSpan(at).StartsWith("[:") && source.IndexOf(":]", at, StringComparison.Ordinal) is var end and > 0)
        {
            string name = source[(at + 2)..end];
            int start = at;
            at = end + 2;
            bool negated = name.StartsWith('^');
            Func<int, bool> posix = ClassTerms.Posix(name.TrimStart('^')) ?? throw Bad(start, $"class [:{name}:]");
            return negated ? codePoint => !posix(codePoint) : posix;
        }
        if (source[at] == '[')
        {
            return Parse(ref at, depth + 1);
        }
        (int low, Func<int, bool>? set) = ParseSingle(ref at);
        if (set is not null)
        {
            return set;
        }
        int high = low;
        if (at + 1 < source.Length && source[at] == '-' && source[at + 1] != ']')
        {
            int dash = at++;
            (high, set) = source[at] == '[' ? (0, _ => true) : ParseSingle(ref at);
            if (set is not null)
            {
                // "a-\d" is no range: the dash is itself.
                at = dash;
                high = low;
            }
            if (high < low)
            {
                throw Bad(dash, "a range whose end comes before its start");
            }
        }
        return Range(low, high);
    }

    private Func<int, bool> Range(int low, int high)
    {
        if (!ignoreCase || high - low > 0x1000)
        {
            return codePoint => codePoint >= low && codePoint <= high;
        }
        var variants = new HashSet<int>();
        for (int c = low; c <= high; c++)
        {
            variants.UnionWith(ClassTerms.CaseVariants(c));
        }
        return variants.Contains;
    }

    private (int CodePoint, Func<int, bool>? Set) ParseSingle(ref int at)
    {
        if (source[at] == '\\')
        {
            if (at + 1 < source.Length && source[at + 1] == 'b')
            {
                at += 2;
                return ('\b', null);
            }
            return ParseEscape(ref at);
        }
        int codePoint = CodePoints.At(source, at, out int length);
        at += length;
        return (codePoint, null);
    }

    private Func<int, bool> ParseProperty(ref int at)
    {
        int start = at;
        bool negated = source[at++] == 'P';
        string name;
        if (at < source.Length && source[at] == '{')
        {
            int close = source.IndexOf('}', at);
            if (close < 0)
            {
                throw Bad(start, "an unclosed \\p{");
            }
            name = source[(at + 1)..close];
            at = close + 1;
        }
        else if (at < source.Length)
        {
            name = source[at++].ToString();
        }
        else
        {
            throw Bad(start, "an end within \\p");
        }
        if (name.StartsWith('^'))
        {
            negated = !negated;
            name = name[1..];
        }
        Func<int, bool> set = ClassTerms.Property(name) ?? throw Bad(start, $"property '{name}'");
        return negated ? codePoint => !set(codePoint) : set;
    }

    private int ParseHex(ref int at)
    {
        int start = at;
        bool unicode = source[at++] == 'u';
        string digits;
        if (at < source.Length && source[at] == '{')
        {
            int close = source.IndexOf('}', at);
            digits = close < 0 ? "" : source[(at + 1)..close];
            at = close + 1;
        }
        else
        {
            int wanted = unicode ? 4 : 2;
            int end = at;
            while (end < source.Length && end - at < wanted && char.IsAsciiHexDigit(source[end]))
            {
                end++;
            }
            digits = source[at..end];
            at = end;
        }
        return digits.Length is > 0 and <= 6 && int.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value)
            && value <= 0x10FFFF ? value : throw Bad(start, "this hexadecimal escape");
    }

    private static Func<int, bool> Any(List<Func<int, bool>> terms)
    {
        Func<int, bool>[] all = [.. terms];
        return all.Length == 1 ? all[0] : codePoint => Array.Exists(all, set => set(codePoint));
    }

    private NotSupportedException Bad(int at, string what) =>
        new($"regular expression '{PatternParser.Shorten(source)}', at {at}: {what} is not supported");
}
