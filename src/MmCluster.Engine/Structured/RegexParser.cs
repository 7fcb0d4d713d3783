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

    /// <summary>The expression as a tree; anchors only say whether text may stand around it.</summary>
    /// <exception cref="Models.MmException">InvalidArgument.</exception>
    public static (Pattern Pattern, bool FromStart, bool ToEnd) Parse(string text)
    {
        if (text.Length > MaxLength)
        {
            throw Pattern.Refuse($"the regular expression has {text.Length} characters; {MaxLength} are allowed");
        }
        bool fromStart = text.StartsWith('^');
        bool toEnd = text.EndsWith('$') && !EndsEscaped(text);
        RegexParser parser = new(text[(fromStart ? 1 : 0)..(toEnd ? ^1 : ^0)]);
        Pattern pattern = parser.ParseChoice();
        return parser._at == parser._text.Length ? (pattern, fromStart, toEnd) : throw parser.Unknown();
    }

    // Whether the last character is taken literally: an odd run of backslashes stands before it.
    private static bool EndsEscaped(string text) => text[..^1].Reverse().TakeWhile(letter => letter == '\\').Count() % 2 == 1;

    private Pattern ParseChoice()
    {
        if (++_depth > MaxDepth)
        {
            throw Pattern.Refuse("the regular expression nests too deep");
        }
        List<Pattern> options = [ParseSequence()];
        while (_at < _text.Length && _text[_at] == '|')
        {
            _at++;
            options.Add(ParseSequence());
        }
        _depth--;
        return options.Count == 1 ? options[0] : new Pattern.Choice(options);
    }

    private Pattern.Sequence ParseSequence()
    {
        List<Pattern> parts = [];
        while (_at < _text.Length && _text[_at] is not ('|' or ')'))
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
                '{' => ParseCount(),
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

    // Leaves the position at the closing brace.
    private (int, int?) ParseCount()
    {
        int close = _text.IndexOf('}', _at);
        string[] bounds = close < 0 ? [] : _text[(_at + 1)..close].Split(',');
        if (bounds.Length is 0 or > 2 || !TryCount(bounds[0], out int least))
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
            case '*' or '+' or '?' or '{' or ']' or '}' or '^' or '$' when letter is not (']' or '}'):
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
            throw Unknown();
        }
        Pattern body = ParseChoice();
        if (_at >= _text.Length)
        {
            throw Pattern.Refuse("the regular expression: a group is not closed");
        }
        _at++;
        return body;
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
