using System.Globalization;
using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Patterns;

/// <summary>Reads a regular expression in Oniguruma's (Ruby) syntax, the part that tokenizers use.</summary>
internal sealed class PatternParser
{
    private const int MaxLength = 20_000;
    private const int MaxDepth = 100;

    private readonly string _source;
    private int _at;
    private int _depth;
    private bool _ignoreCase;
    private bool _dotAll;

    private PatternParser(string source) => _source = source;

    private bool AtEnd => _at >= _source.Length;

    /// <summary>Parses a whole expression; throws <see cref="NotSupportedException"/> naming what it does not know.</summary>
    public static PatternNode Parse(string source)
    {
        if (source.Length > MaxLength)
        {
            throw new InvalidDataException($"regular expression: {source.Length} characters, the limit is {MaxLength}");
        }
        var parser = new PatternParser(source);
        PatternNode node = parser.ParseChoice();
        return parser.AtEnd ? node : throw parser.Bad("an unmatched )");
    }

    private PatternNode ParseChoice()
    {
        if (++_depth > MaxDepth)
        {
            throw Bad($"nesting deeper than {MaxDepth}");
        }
        // An option like (?i) in the middle of a group holds until the group ends.
        (bool ignoreCase, bool dotAll) = (_ignoreCase, _dotAll);
        var options = new List<PatternNode> { ParseSequence() };
        while (Take('|'))
        {
            options.Add(ParseSequence());
        }
        (_ignoreCase, _dotAll) = (ignoreCase, dotAll);
        _depth--;
        return options.Count == 1 ? options[0] : new PatternNode.Choice(options);
    }

    private PatternNode ParseSequence()
    {
        var items = new List<PatternNode>();
        while (!AtEnd && _source[_at] is not ('|' or ')'))
        {
            if (ParseAtom() is { } atom)
            {
                items.Add(ParseRepeats(atom));
            }
        }
        return items.Count == 1 ? items[0] : new PatternNode.Sequence(items);
    }

    private PatternNode ParseRepeats(PatternNode atom)
    {
        while (!AtEnd)
        {
            (int Min, int Max)? bounds = _source[_at] switch
            {
                '*' => (0, int.MaxValue),
                '+' => (1, int.MaxValue),
                '?' => (0, 1),
                '{' => ParseBounds(),
                _ => null,
            };
            if (bounds is not { } range)
            {
                return atom;
            }
            bool counted = _source[_at] == '}';
            _at++;
            Greed greed = Take('?') ? Greed.Lazy : Take('+') ? Greed.Possessive : Greed.Greedy;
            // Two habits of Ruby's syntax: x{1,3}+ repeats the repetition, and x{3}? makes it optional.
            if (counted && greed == Greed.Possessive)
            {
                atom = new PatternNode.Repeat(atom, range.Min, range.Max, Greed.Greedy);
                (range, greed) = ((1, int.MaxValue), Greed.Greedy);
            }
            else if (counted && greed == Greed.Lazy && range.Min == range.Max)
            {
                atom = new PatternNode.Repeat(atom, range.Min, range.Max, Greed.Greedy);
                (range, greed) = ((0, 1), Greed.Greedy);
            }
            atom = new PatternNode.Repeat(atom, range.Min, range.Max, greed);
        }
        return atom;
    }

    // Leaves the position on the closing brace; a brace that is no repetition is a literal.
    private (int Min, int Max)? ParseBounds()
    {
        int close = _source.IndexOf('}', _at);
        if (close < 0)
        {
            return null;
        }
        string[] parts = _source[(_at + 1)..close].Split(',');
        if (parts.Length > 2 || parts.Any(part => part.Length > 4 || !part.All(char.IsAsciiDigit)) || parts.All(part => part.Length == 0))
        {
            return null;
        }
        int min = parts[0].Length == 0 ? 0 : int.Parse(parts[0], CultureInfo.InvariantCulture);
        int max = parts.Length == 1 ? min : parts[1].Length == 0 ? int.MaxValue : int.Parse(parts[1], CultureInfo.InvariantCulture);
        if (max < min || min > 1000 || (max > 1000 && max != int.MaxValue))
        {
            throw Bad($"repetition {{{min},{max}}}");
        }
        _at = close;
        return (min, max);
    }

    private PatternNode? ParseAtom()
    {
        char c = _source[_at];
        switch (c)
        {
            case '(':
                return ParseGroup();
            case '[':
                return new PatternNode.Set(new CharSet(new ClassParser(_source, _ignoreCase).Parse(ref _at)));
            case '.':
                _at++;
                bool dotAll = _dotAll;
                return new PatternNode.Set(new CharSet(codePoint => dotAll || codePoint != '\n'));
            case '^':
                _at++;
                return new PatternNode.At(Anchor.LineStart);
            case '$':
                _at++;
                return new PatternNode.At(Anchor.LineEnd);
            case '\\':
                return ParseEscape();
            case '*' or '+' or '?':
                throw Bad($"'{c}' that repeats nothing");
            default:
                int codePoint = CodePoints.At(_source, _at, out int length);
                _at += length;
                return Literal(codePoint);
        }
    }

    private PatternNode ParseEscape()
    {
        if (_at + 1 >= _source.Length)
        {
            throw Bad("a backslash at the end");
        }
        char letter = _source[_at + 1];
        Anchor? anchor = letter switch
        {
            'A' => Anchor.TextStart,
            'z' => Anchor.TextEnd,
            'Z' => Anchor.TextEndOrNewline,
            'b' => Anchor.WordBoundary,
            'B' => Anchor.NotWordBoundary,
            _ => null,
        };
        if (anchor is { } found)
        {
            _at += 2;
            return new PatternNode.At(found);
        }
        (int codePoint, Func<int, bool>? set) = new ClassParser(_source, _ignoreCase).ParseEscape(ref _at);
        return set is null ? Literal(codePoint) : new PatternNode.Set(new CharSet(set));
    }

    private PatternNode.Set Literal(int codePoint)
    {
        int[] variants = _ignoreCase ? ClassTerms.CaseVariants(codePoint) : [codePoint];
        return new PatternNode.Set(new CharSet(c => Array.IndexOf(variants, c) >= 0));
    }

    private PatternNode? ParseGroup()
    {
        _at++;
        if (!Take('?'))
        {
            return Close(ParseChoice());
        }
        if (Take(':'))
        {
            return Close(ParseChoice());
        }
        if (Take('='))
        {
            return new PatternNode.Look(Close(ParseChoice()), Behind: false, Negative: false);
        }
        if (Take('!'))
        {
            return new PatternNode.Look(Close(ParseChoice()), Behind: false, Negative: true);
        }
        if (Take('>'))
        {
            return new PatternNode.Atomic(Close(ParseChoice()));
        }
        if (Take('<'))
        {
            if (Take('='))
            {
                return new PatternNode.Look(Close(ParseChoice()), Behind: true, Negative: false);
            }
            if (Take('!'))
            {
                return new PatternNode.Look(Close(ParseChoice()), Behind: true, Negative: true);
            }
            throw Bad("a named group");
        }
        return ParseOptions();
    }

    // (?i) holds to the end of the enclosing group, (?i:...) for its own body.
    private PatternNode? ParseOptions()
    {
        bool on = true;
        (bool ignoreCase, bool dotAll) = (_ignoreCase, _dotAll);
        for (; !AtEnd; _at++)
        {
            switch (_source[_at])
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    _ignoreCase = on;
                    break;
                case 'm' or 's':
                    _dotAll = on;
                    break;
                case ')':
                    _at++;
                    return null;
                case ':':
                    _at++;
                    PatternNode body = Close(ParseChoice());
                    (_ignoreCase, _dotAll) = (ignoreCase, dotAll);
                    return body;
                default:
                    throw Bad($"group option '{_source[_at]}'");
            }
        }
        throw Bad("an unclosed group");
    }

    private PatternNode Close(PatternNode node) => Take(')') ? node : throw Bad("an unclosed group");

    private bool Take(char c)
    {
        if (AtEnd || _source[_at] != c)
        {
            return false;
        }
        _at++;
        return true;
    }

    private NotSupportedException Bad(string what) =>
        new($"regular expression '{Shorten(_source)}', at {_at}: {what} is not supported");

    /// <summary>A text short enough for an error message.</summary>
    internal static string Shorten(string text) => text.Length <= 80 ? text : text[..80] + "…";
}
