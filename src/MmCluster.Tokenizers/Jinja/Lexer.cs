using System.Text;

namespace MmCluster.Tokenizers.Jinja;

/// <summary>
/// Cuts a template's source into tokens as Jinja does with trim_blocks and lstrip_blocks on and keep_trailing_newline off.
/// </summary>
internal sealed class Lexer
{
    private static readonly string[] Operators =
    [
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
        ":", "|", ",", ";",
    ];

    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private int _at;
    private int _line = 1;
    private int _counted; // newlines are counted up to here

    private Lexer(string source)
    {
        string text = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        _source = text.EndsWith('\n') ? text[..^1] : text;
    }

    /// <summary>The tokens of a template, closed by <see cref="TokenKind.End"/>.</summary>
    public static List<Token> Tokenize(string source)
    {
        var lexer = new Lexer(source);
        lexer.Run();
        return lexer._tokens;
    }

    private void Run()
    {
        while (_at < _source.Length)
        {
            int tag = NextTag();
            if (tag < 0)
            {
                Add(TokenKind.Data, _source[_at..]);
                _at = _source.Length;
                break;
            }
            char kind = _source[tag + 1];
            char sign = tag + 2 < _source.Length && _source[tag + 2] is '-' or '+' ? _source[tag + 2] : '\0';
            AddData(tag, kind, sign);
            _at = tag + (sign == '\0' ? 2 : 3);
            switch (kind)
            {
                case '#':
                    SkipComment(tag);
                    break;
                case '{':
                    Add(TokenKind.VariableBegin, "{{");
                    ReadExpression("}}", TokenKind.VariableEnd, tag);
                    break;
                default:
                    if (!TryRaw())
                    {
                        Add(TokenKind.BlockBegin, "{%");
                        ReadExpression("%}", TokenKind.BlockEnd, tag);
                    }
                    break;
            }
        }
        Add(TokenKind.End, "");
    }

    private int NextTag()
    {
        for (int i = _at; ; i++)
        {
            i = _source.IndexOf('{', i);
            if (i < 0 || i + 1 >= _source.Length)
            {
                return -1;
            }
            if (_source[i + 1] is '%' or '{' or '#')
            {
                return i;
            }
        }
    }

    // Text before a tag: '-' strips all white space there; a block or comment without '+' strips what stands before it on its line.
    private void AddData(int tag, char kind, char sign)
    {
        string text = _source[_at..tag];
        if (sign == '-')
        {
            text = text.TrimEnd();
        }
        else if (sign != '+' && kind != '{')
        {
            int line = text.LastIndexOf('\n') + 1;
            bool startsLine = line > 0 || _at == 0 || _source[_at - 1] == '\n';
            if (startsLine && string.IsNullOrWhiteSpace(text[line..]))
            {
                text = text[..line];
            }
        }
        if (text.Length > 0)
        {
            Add(TokenKind.Data, text);
        }
    }

    private void SkipComment(int tag)
    {
        int end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0)
        {
            throw Fail(tag, "a comment '{#' is not closed");
        }
        _at = end;
        TakeEnd("#}", end > 0 ? _source[end - 1] : '\0');
    }

    // What follows a closing mark: all white space after '-', one newline unless '+'.
    private void TakeEnd(string mark, char sign)
    {
        _at += mark.Length;
        if (sign == '-')
        {
            while (_at < _source.Length && char.IsWhiteSpace(_source[_at]))
            {
                _at++;
            }
        }
        else if (sign != '+' && mark != "}}" && _at < _source.Length && _source[_at] == '\n')
        {
            _at++;
        }
    }

    private bool TryRaw()
    {
        int at = SkipSpace(_at);
        if (!_source.AsSpan(at).StartsWith("raw"))
        {
            return false;
        }
        at = SkipSpace(at + 3);
        bool strips = at < _source.Length && _source[at] == '-';
        at += strips ? 1 : 0;
        if (!_source.AsSpan(at).StartsWith("%}"))
        {
            return false;
        }
        _at = at;
        TakeEnd("%}", strips ? '-' : '+');
        for (int tag = _at; (tag = _source.IndexOf("{%", tag, StringComparison.Ordinal)) >= 0; tag++)
        {
            int inside = tag + 2;
            char sign = inside < _source.Length && _source[inside] is '-' or '+' ? _source[inside] : '\0';
            inside = SkipSpace(inside + (sign == '\0' ? 0 : 1));
            if (!_source.AsSpan(inside).StartsWith("endraw"))
            {
                continue;
            }
            inside = SkipSpace(inside + 6);
            char endSign = inside < _source.Length && _source[inside] is '-' or '+' ? _source[inside] : '\0';
            inside += endSign == '\0' ? 0 : 1;
            if (_source.AsSpan(inside).StartsWith("%}"))
            {
                AddData(tag, '%', sign);
                _at = inside;
                TakeEnd("%}", endSign);
                return true;
            }
        }
        throw Fail(_at, "'raw' is not closed by 'endraw'");
    }

    private int SkipSpace(int at)
    {
        while (at < _source.Length && char.IsWhiteSpace(_source[at]))
        {
            at++;
        }
        return at;
    }

    private void ReadExpression(string end, TokenKind endKind, int tag)
    {
        var open = new Stack<char>();
        while (true)
        {
            _at = SkipSpace(_at);
            if (_at >= _source.Length)
            {
                throw Fail(tag, $"'{_source.AsSpan(tag, 2)}' is not closed by '{end}'");
            }
            char c = _source[_at];
            if (open.Count == 0 && TakesEnd(end, c))
            {
                Add(endKind, end);
                char sign = c is '-' or '+' ? c : '\0';
                _at += sign == '\0' ? 0 : 1;
                TakeEnd(end, sign);
                return;
            }
            if (c is '\'' or '"')
            {
                ReadString(c);
            }
            else if (char.IsAsciiDigit(c))
            {
                ReadNumber();
            }
            else if (c == '_' || char.IsLetter(c))
            {
                int start = _at;
                while (_at < _source.Length && (_source[_at] == '_' || char.IsLetterOrDigit(_source[_at])))
                {
                    _at++;
                }
                Add(TokenKind.Name, _source[start.._at]);
            }
            else
            {
                ReadOperator(open);
            }
        }
    }

    private bool TakesEnd(string end, char c) => _source.AsSpan(_at).StartsWith(end)
        || ((c == '-' || (c == '+' && end == "%}")) && _source.AsSpan(_at + 1).StartsWith(end));

    private void ReadOperator(Stack<char> open)
    {
        string? found = Array.Find(Operators, text => _source.AsSpan(_at).StartsWith(text));
        if (found is null)
        {
            throw Fail(_at, $"unexpected character '{_source[_at]}'");
        }
        // A brace of a dictionary must not be taken for the end of the tag.
        if (found is "(" or "[" or "{")
        {
            open.Push(found[0] switch { '(' => ')', '[' => ']', _ => '}' });
        }
        else if (found is ")" or "]" or "}" && (!open.TryPop(out char expected) || expected != found[0]))
        {
            throw Fail(_at, $"unexpected '{found}'");
        }
        Add(TokenKind.Operator, found);
        _at += found.Length;
    }

    private void ReadNumber()
    {
        int start = _at;
        if (_source[_at] == '0' && _at + 1 < _source.Length && _source[_at + 1] is 'x' or 'X' or 'o' or 'O' or 'b' or 'B')
        {
            throw Fail(_at, $"number '{_source.AsSpan(_at, 2)}…' is not supported");
        }
        TakeDigits();
        bool isFloat = false;
        if (_at + 1 < _source.Length && _source[_at] == '.' && char.IsAsciiDigit(_source[_at + 1]))
        {
            isFloat = true;
            _at++;
            TakeDigits();
        }
        int exponent = _at < _source.Length && _source[_at] is 'e' or 'E' ? _at + 1 : -1;
        if (exponent > 0 && exponent < _source.Length && _source[exponent] is '+' or '-')
        {
            exponent++;
        }
        if (exponent > 0 && exponent < _source.Length && char.IsAsciiDigit(_source[exponent]))
        {
            isFloat = true;
            _at = exponent;
            TakeDigits();
        }
        Add(isFloat ? TokenKind.Float : TokenKind.Integer, _source[start.._at].Replace("_", "", StringComparison.Ordinal));
    }

    private void TakeDigits()
    {
        while (_at < _source.Length && (char.IsAsciiDigit(_source[_at]) || _source[_at] == '_'))
        {
            _at++;
        }
    }

    private void ReadString(char quote)
    {
        int start = _at++;
        var raw = new StringBuilder();
        while (_at < _source.Length && _source[_at] != quote)
        {
            if (_source[_at] == '\\' && _at + 1 < _source.Length)
            {
                raw.Append(_source[_at++]);
            }
            raw.Append(_source[_at++]);
        }
        if (_at >= _source.Length)
        {
            throw Fail(start, "a string is not closed");
        }
        _at++;
        int line = LineAt(start);
        _tokens.Add(new Token(TokenKind.String, StringEscapes.Decode(raw.ToString(), line), line));
    }

    private void Add(TokenKind kind, string text) => _tokens.Add(new Token(kind, text, LineAt(_at)));

    private int LineAt(int at)
    {
        if (at < _counted)
        {
            return _line - _source.AsSpan(at, _counted - at).Count('\n');
        }
        _line += _source.AsSpan(_counted, at - _counted).Count('\n');
        _counted = at;
        return _line;
    }

    private TemplateFailure Fail(int at, string message) => new(message, line: LineAt(at));
}
