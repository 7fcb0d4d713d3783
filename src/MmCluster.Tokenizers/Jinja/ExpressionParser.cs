using System.Globalization;

namespace MmCluster.Tokenizers.Jinja;

/// <summary>Parses expressions with Jinja's precedence.</summary>
internal sealed class ExpressionParser
{
    private const int MaxDepth = 120;

    private static readonly string[] Comparisons = ["==", "!=", "<", "<=", ">", ">="];

    private readonly TokenStream _tokens;
    private readonly CollectionParser _collections;
    private int _depth;

    public ExpressionParser(TokenStream tokens)
    {
        _tokens = tokens;
        _collections = new CollectionParser(tokens, Parse);
    }

    /// <summary>One expression, conditional ones included.</summary>
    public Expression Parse()
    {
        if (++_depth > MaxDepth)
        {
            throw _tokens.Fail($"expressions nested deeper than {MaxDepth}");
        }
        Expression result = ParseOr();
        while (_tokens.Current.IsName("if"))
        {
            int line = _tokens.Take().Line;
            Expression condition = ParseOr();
            Expression? otherwise = _tokens.TakeName("else") ? Parse() : null;
            result = new ConditionalExpression(condition, result, otherwise) { Line = line };
        }
        _depth--;
        return result;
    }

    /// <summary>An expression, or several with commas between them, which make a tuple.</summary>
    public Expression ParseTuple(bool conditional = true)
    {
        int line = _tokens.Line;
        Expression first = conditional ? Parse() : ParseOr();
        if (!_tokens.Current.IsOperator(","))
        {
            return first;
        }
        var items = new List<Expression> { first };
        while (_tokens.TakeOperator(",") && _tokens.Current.Kind is not (TokenKind.BlockEnd or TokenKind.VariableEnd))
        {
            items.Add(conditional ? Parse() : ParseOr());
        }
        return new ListExpression(items, isTuple: true) { Line = line };
    }

    /// <summary>The filters after a block tag's bar, until the tag ends.</summary>
    public BlockFilter ParseBlockFilter(bool startsWithName)
    {
        var chain = new List<FilterExpression>();
        while (startsWithName || _tokens.TakeOperator("|"))
        {
            startsWithName = false;
            chain.Add(ParseFilter(null));
        }
        return new BlockFilter(chain);
    }

    /// <summary>Arguments in parentheses, the opening one not yet taken.</summary>
    public ArgumentList ParseArguments()
    {
        _tokens.Expect("(");
        var positional = new List<Expression>();
        var named = new List<(string, Expression)>();
        while (!_tokens.TakeOperator(")"))
        {
            if (positional.Count + named.Count > 0)
            {
                _tokens.Expect(",");
                if (_tokens.TakeOperator(")"))
                {
                    break;
                }
            }
            if (_tokens.Current.IsOperator("*") || _tokens.Current.IsOperator("**"))
            {
                throw _tokens.Fail($"arguments with {_tokens.Current.Quoted} are not supported", FailureKind.Unknown);
            }
            if (_tokens.Current.Kind == TokenKind.Name && _tokens.Next.IsOperator("="))
            {
                string name = _tokens.Take().Text;
                _tokens.Take();
                named.Add((name, Parse()));
            }
            else if (named.Count > 0)
            {
                throw _tokens.Fail("an argument without name follows one with a name");
            }
            else
            {
                positional.Add(Parse());
            }
        }
        return new ArgumentList(positional, named);
    }

    private Expression ParseOr() => ParseLogic("or", () => ParseLogic("and", ParseNot));

    private Expression ParseLogic(string op, Func<Expression> operand)
    {
        Expression left = operand();
        while (_tokens.Current.IsName(op))
        {
            int line = _tokens.Take().Line;
            left = new BinaryExpression(op, left, operand()) { Line = line };
        }
        return left;
    }

    private Expression ParseNot()
    {
        if (!_tokens.Current.IsName("not"))
        {
            return ParseCompare();
        }
        int line = _tokens.Take().Line;
        return new UnaryExpression("not", Deeper(ParseNot)) { Line = line };
    }

    private Expression ParseCompare()
    {
        int line = _tokens.Line;
        Expression first = ParseMath(["+", "-"], ParseConcat);
        var rest = new List<(string, Expression)>();
        while (ComparisonAhead() is { } op)
        {
            rest.Add((op, ParseMath(["+", "-"], ParseConcat)));
        }
        return rest.Count == 0 ? first : new CompareExpression(first, rest) { Line = line };
    }

    private string? ComparisonAhead()
    {
        if (_tokens.Current.Kind == TokenKind.Operator && Comparisons.Contains(_tokens.Current.Text))
        {
            return _tokens.Take().Text;
        }
        if (_tokens.TakeName("in"))
        {
            return "in";
        }
        if (_tokens.Current.IsName("not") && _tokens.Next.IsName("in"))
        {
            _tokens.Take();
            _tokens.Take();
            return "not in";
        }
        return null;
    }

    private Expression ParseMath(string[] operators, Func<Expression> operand)
    {
        Expression left = operand();
        while (_tokens.Current.Kind == TokenKind.Operator && operators.Contains(_tokens.Current.Text))
        {
            Token op = _tokens.Take();
            left = new BinaryExpression(op.Text, left, operand()) { Line = op.Line };
        }
        return left;
    }

    private Expression ParseConcat()
    {
        int line = _tokens.Line;
        Expression first = ParseProduct();
        if (!_tokens.Current.IsOperator("~"))
        {
            return first;
        }
        var parts = new List<Expression> { first };
        while (_tokens.TakeOperator("~"))
        {
            parts.Add(ParseProduct());
        }
        return new ConcatExpression(parts) { Line = line };
    }

    private Expression ParseProduct() => ParseMath(["*", "/", "//", "%"], () => ParseMath(["**"], () => ParseUnary(filters: true)));

    private Expression ParseUnary(bool filters)
    {
        Expression result;
        if (_tokens.Current.IsOperator("-") || _tokens.Current.IsOperator("+"))
        {
            Token op = _tokens.Take();
            result = new UnaryExpression(op.Text, Deeper(() => ParseUnary(filters: false))) { Line = op.Line };
        }
        else
        {
            result = ParsePostfix(ParsePrimary());
        }
        return filters ? ParseFilters(result) : result;
    }

    private Expression Deeper(Func<Expression> parse)
    {
        if (++_depth > MaxDepth)
        {
            throw _tokens.Fail($"expressions nested deeper than {MaxDepth}");
        }
        Expression result = parse();
        _depth--;
        return result;
    }

    private Expression ParsePrimary()
    {
        Token token = _tokens.Take();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new Literal(Value.True) { Line = token.Line },
                    "false" or "False" => new Literal(Value.False) { Line = token.Line },
                    "none" or "None" => new Literal(Value.None) { Line = token.Line },
                    _ => new NameExpression(token.Text) { Line = token.Line },
                };
            case TokenKind.String:
                string text = token.Text;
                while (_tokens.Current.Kind == TokenKind.String)
                {
                    text += _tokens.Take().Text;
                }
                return new Literal(new TextValue(text)) { Line = token.Line };
            case TokenKind.Integer when long.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture, out long integer):
                return new Literal(Value.Of(integer)) { Line = token.Line };
            case TokenKind.Float:
                return new Literal(new FloatValue(double.Parse(token.Text, CultureInfo.InvariantCulture))) { Line = token.Line };
            case TokenKind.Operator when token.Text == "(":
                return _collections.ParseParentheses(token.Line);
            case TokenKind.Operator when token.Text == "[":
                return new ListExpression(_collections.ParseItems("]"), isTuple: false) { Line = token.Line };
            case TokenKind.Operator when token.Text == "{":
                return _collections.ParseDict(token.Line);
            default:
                throw new TemplateFailure($"unexpected {token.Quoted}", line: token.Line);
        }
    }

    private Expression ParsePostfix(Expression target)
    {
        while (true)
        {
            int line = _tokens.Line;
            if (_tokens.TakeOperator("."))
            {
                Token name = _tokens.Take();
                target = name.Kind switch
                {
                    TokenKind.Name => new AttributeExpression(target, name.Text) { Line = line },
                    TokenKind.Integer => new ItemExpression(
                        target, new Literal(Value.Of(long.Parse(name.Text, CultureInfo.InvariantCulture))) { Line = line })
                    { Line = line },
                    _ => throw new TemplateFailure($"expected a name after '.', found {name.Quoted}", line: name.Line),
                };
            }
            else if (_tokens.TakeOperator("["))
            {
                target = ParseSubscript(target, line);
            }
            else if (_tokens.Current.IsOperator("("))
            {
                target = new CallExpression(target, ParseArguments()) { Line = line };
            }
            else
            {
                return target;
            }
        }
    }

    private Expression ParseSubscript(Expression target, int line)
    {
        Expression? start = _tokens.Current.IsOperator(":") ? null : Parse();
        if (start is not null && _tokens.TakeOperator("]"))
        {
            return new ItemExpression(target, start) { Line = line };
        }
        _tokens.Expect(":");
        Expression? stop = _tokens.Current.IsOperator(":") || _tokens.Current.IsOperator("]") ? null : Parse();
        Expression? step = _tokens.TakeOperator(":") && !_tokens.Current.IsOperator("]") ? Parse() : null;
        _tokens.Expect("]");
        return new SliceExpression(target, start, stop, step) { Line = line };
    }

    private Expression ParseFilters(Expression target)
    {
        while (true)
        {
            int line = _tokens.Line;
            if (_tokens.TakeOperator("|"))
            {
                target = ParseFilter(target);
            }
            else if (_tokens.Current.IsName("is"))
            {
                _tokens.Take();
                target = ParseTest(target, line);
            }
            else if (_tokens.Current.IsOperator("("))
            {
                target = new CallExpression(target, ParseArguments()) { Line = line };
            }
            else
            {
                return target;
            }
        }
    }

    private FilterExpression ParseFilter(Expression? target)
    {
        Token name = _tokens.Current;
        _tokens.ExpectName();
        ArgumentList arguments = _tokens.Current.IsOperator("(") ? ParseArguments() : ArgumentList.Empty;
        return Known(name, () => new FilterExpression(target, name.Text, arguments) { Line = name.Line });
    }

    private TestExpression ParseTest(Expression target, int line)
    {
        bool negated = _tokens.TakeName("not");
        Token name = _tokens.Current;
        _tokens.ExpectName();
        ArgumentList arguments = ArgumentList.Empty;
        Token next = _tokens.Current;
        if (next.IsOperator("("))
        {
            arguments = ParseArguments();
        }
        else if ((next.Kind is TokenKind.Name or TokenKind.String or TokenKind.Integer or TokenKind.Float
                || next.IsOperator("[") || next.IsOperator("{"))
            && next is not { Kind: TokenKind.Name, Text: "else" or "or" or "and" or "if" or "in" or "not" })
        {
            if (next.IsName("is"))
            {
                throw _tokens.Fail("'is' cannot follow a test");
            }
            arguments = new ArgumentList([ParsePostfix(ParsePrimary())], []);
        }
        return Known(name, () => new TestExpression(target, name.Text, arguments, negated) { Line = line });
    }

    private static T Known<T>(Token name, Func<T> create)
    {
        try
        {
            return create();
        }
        catch (TemplateFailure failure)
        {
            throw new TemplateFailure(failure.Message, failure.Kind, name.Line);
        }
    }
}
