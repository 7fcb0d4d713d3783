using System.Globalization;

namespace MmCluster.Engine.Structured;

/// <summary>
/// Reads a regular expression: literals, classes, groups, alternation, quantifiers, anchors at the ends. Back references, look-around and anything else that
/// is not regular is refused by position.
/// </summary>
internal sealed class RegexParser
{
    private const int MaxLength = 16_384;
    private const int MaxRepeat = 4096;
    private const int MaxDepth = 100;

    private readonly string _text;
    private int _at;
    private int _depth;

    private RegexParser(string text) => _text = text;

    /// <summary>What a text matches that the expression matches whole; anchors at its ends say nothing then.</summary>
    /// <exception cref="Models.MmException">InvalidArgument.</exception>
    public static Pattern Parse(string text) => Pattern.Either(ParseOptions(text).Select(option => option.Pattern));

    /// <summary>The alternatives of an expression, and whether each is anchored at the start and at the end.</summary>
    /// <exception cref="Models.MmException">InvalidArgument.</exception>
    public static IReadOnlyList<(Pattern Pattern, bool FromStart, bool ToEnd)> ParseOptions(string text)
    {
        if (text.Length > MaxLength)
        {
            throw Pattern.Refuse($"the regular expression has {text.Length} characters; {MaxLength} are allowed");
        }
        RegexParser parser = new(text);
        List<(Pattern, bool, bool)> options = [];
        do
        {
            bool fromStart = parser.Skip('^');
            Pattern pattern = parser.ParseSequence();
            options.Add((pattern, fromStart, parser.Skip('$')));
        }
        while (parser.Skip('|'));
        return parser._at == text.Length ? options : throw parser.Unknown();
    }

    private bool Skip(char letter)
    {
        bool found = _at < _text.Length && _text[_at] == letter;
        _at += found ? 1 : 0;
        return found;
    }

    private Pattern ParseChoice()
    {
        if (++_depth > MaxDepth)
        {
            throw Pattern.Refuse("the regular expression nests too deep");
        }
        List<Pattern> options = [ParseSequence()];
        while (Skip('|'))
        {
            options.Add(ParseSequence());
        }
        _depth--;
        return options.Count == 1 ? options[0] : new Pattern.Choice(options);
    }

    private Pattern.Sequence ParseSequence()
    {
        List<Pattern> parts = [];
        while (_at < _text.Length && _text[_at] is not ('|' or ')' or '$'))
        {
            parts.Add(ParseQuantified());
        }
        return new Pattern.Sequence(parts);
    }

    private Pattern ParseQuantified()
    {
        Pattern body = ParseAtom();
        while (_at < _text.Length)
        {
            (int Least, int? Most)? count = _text[_at] switch
            {
                '*' => (0, null),
                '+' => (1, null),
                '?' => (0, 1),
                '{' when IsCount() => ParseCount(),
                _ => null,
            };
            if (count is not { } known)
            {
                break;
            }
            _at++;
            if (_at < _text.Length && _text[_at] == '?')
            {
                _at++; // lazy: the same language
            }
            body = new Pattern.Repeat(body, known.Least, known.Most);
        }
        return body;
    }

    // A brace that opens no count stands for itself, as in Python and JavaScript.
    private bool IsCount()
    {
        int close = _text.IndexOf('}', _at);
        return close > _at + 1 && _text[(_at + 1)..close].All(letter => letter == ',' || char.IsAsciiDigit(letter)) && _text[(_at + 1)..close] != ",";
    }

    // Leaves the position at the closing brace.
    private (int, int?) ParseCount()
    {
        int close = _text.IndexOf('}', _at);
        string[] bounds = close < 0 ? [] : _text[(_at + 1)..close].Split(',');
        int least = 0;
        // Without a lower bound it is 0.
        if (bounds.Length is 0 or > 2 || !(TryCount(bounds[0], out least) || (bounds.Length == 2 && bounds[0].Length == 0)))
        {
            throw Unknown();
        }
        int? most = bounds.Length == 1 ? least : bounds[1].Length == 0 ? null : TryCount(bounds[1], out int bound) && bound >= least ? bound : throw Unknown();
        _at = close;
        return (least, most);
    }

    private static bool TryCount(string text, out int count) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count <= MaxRepeat;

    private Pattern ParseAtom()
    {
        char letter = _text[_at];
        switch (letter)
        {
            case '(':
                return ParseGroup();
            case '[':
                _at++;
                return new Pattern.Char(ParseClass());
            case '.':
                _at++;
                return new Pattern.Char(CharSet.Single('\n').Negate());
            case '\\':
                _at++;
                return new Pattern.Char(ParseEscape());
            case '*' or '+' or '?' or '^':
            case '{' when IsCount():
                throw Unknown();
            default:
                return new Pattern.Char(CharSet.Single(NextScalar()));
        }
    }

    private Pattern ParseGroup()
    {
        _at++;
        if (_text.AsSpan(_at).StartsWith("?:"))
        {
            _at += 2;
        }
        else if (_at < _text.Length && _text[_at] == '?')
        {
            SkipName();
        }
        Pattern body = ParseChoice();
        if (_at < _text.Length && _text[_at] != ')')
        {
            throw Unknown();
        }
        return Skip(')') ? body : throw Pattern.Refuse("the regular expression: a group is not closed");
    }

    // A group's name, as (?P<name>...) or (?<name>...), says nothing about the texts.
    private void SkipName()
    {
        int start = _at + (_text.AsSpan(_at).StartsWith("?P") ? 2 : 1);
        int end = _text.IndexOf('>', _at);
        bool named = start < end - 1 && _text[start] == '<' && _text[(start + 1)..end].All(letter => char.IsLetterOrDigit(letter) || letter == '_');
        _at = named ? end + 1 : throw Unknown();
    }

    private CharSet ParseClass()
    {
        bool negated = _at < _text.Length && _text[_at] == '^';
        _at += negated ? 1 : 0;
        CharSet set = CharSet.Of();
        bool first = true;
        while (_at < _text.Length && (_text[_at] != ']' || first))
        {
            first = false;
            CharSet item = ParseClassItem(out int? low);
            if (low is { } from && _at + 1 < _text.Length && _text[_at] == '-' && _text[_at + 1] != ']')
            {
                _at++;
                ParseClassItem(out int? high);
                item = high is { } to && to >= from ? CharSet.Of((from, to)) : throw Unknown();
            }
            set = set.Union(item);
        }
        if (_at >= _text.Length)
        {
            throw Pattern.Refuse("the regular expression: a class is not closed");
        }
        _at++;
        return negated ? set.Negate() : set;
    }

    private CharSet ParseClassItem(out int? single)
    {
        CharSet set;
        if (_at < _text.Length && _text[_at] == '\\')
        {
            _at++;
            set = ParseEscape();
        }
        else
        {
            set = CharSet.Single(NextScalar());
        }
        single = set.Ranges is [(int first, int last)] && first == last ? first : null;
        return set;
    }

    private CharSet ParseEscape()
    {
        if (_at >= _text.Length)
        {
            throw Pattern.Refuse("the regular expression ends in a backslash");
        }
        char letter = _text[_at++];
        return letter switch
        {
            'd' => CharSet.Digits,
            'D' => CharSet.Digits.Negate(),
            'w' => CharSet.WordLetters,
            'W' => CharSet.WordLetters.Negate(),
            's' => CharSet.Spaces,
            'S' => CharSet.Spaces.Negate(),
            'n' => CharSet.Single('\n'),
            'r' => CharSet.Single('\r'),
            't' => CharSet.Single('\t'),
            'f' => CharSet.Single('\f'),
            'v' => CharSet.Single('\v'),
            'x' => CharSet.Single(Hex(2)),
            'u' => CharSet.Single(Hex(4)),
            _ when !char.IsAsciiLetterOrDigit(letter) => CharSet.Single(letter),
            _ => throw Pattern.Refuse($"the regular expression: \\{letter} is not supported"),
        };
    }

    private int Hex(int digits)
    {
        int end = _at + digits;
        if (end > _text.Length || !int.TryParse(_text.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value)
            || char.IsSurrogate((char)value))
        {
            throw Unknown();
        }
        _at = end;
        return value;
    }

    private int NextScalar()
    {
        if (!System.Text.Rune.TryGetRuneAt(_text, _at, out System.Text.Rune rune))
        {
            throw Unknown();
        }
        _at += rune.Utf16SequenceLength;
        return rune.Value;
    }

    private Models.MmException Unknown() => Pattern.Refuse(
        $"the regular expression: '{(_at < _text.Length ? _text[_at] : ' ')}' at position {_at} is not supported there");
}
