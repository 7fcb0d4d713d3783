namespace MmCluster.Tokenizers.Jinja;

/// <summary>Parses a template into statements.</summary>
internal sealed class StatementParser
{
    private const string KnownTags =
        "if, for, set, macro, call, filter, with, break, continue, generation, raw";

    private const int MaxDepth = 60;

    private readonly TokenStream _tokens;
    private readonly ExpressionParser _expressions;
    private int _depth;
    private int _loops;

    private StatementParser(TokenStream tokens)
    {
        _tokens = tokens;
        _expressions = new ExpressionParser(tokens);
    }

    /// <summary>The statements of a template.</summary>
    public static IReadOnlyList<Statement> Parse(string source)
    {
        var parser = new StatementParser(new TokenStream(Lexer.Tokenize(source)));
        List<Statement> body = parser.ParseBody();
        return parser._tokens.Current.Kind == TokenKind.End ? body
            : throw parser._tokens.Fail($"unexpected tag {parser._tokens.Next.Quoted}");
    }

    // Stops before a tag that belongs to an enclosing statement, its '{%' not yet taken, or at the end.
    private List<Statement> ParseBody(params string[] ends)
    {
        if (++_depth > MaxDepth)
        {
            throw _tokens.Fail($"blocks nested deeper than {MaxDepth}");
        }
        var body = new List<Statement>();
        while (_tokens.Current.Kind != TokenKind.End)
        {
            int line = _tokens.Line;
            if (_tokens.Current.Kind == TokenKind.Data)
            {
                body.Add(new DataStatement(_tokens.Take().Text) { Line = line });
            }
            else if (_tokens.Current.Kind == TokenKind.VariableBegin)
            {
                _tokens.Take();
                body.Add(new PrintStatement(_expressions.ParseTuple()) { Line = line });
                _tokens.Expect(TokenKind.VariableEnd);
            }
            else if (_tokens.Next.Kind == TokenKind.Name && ends.Contains(_tokens.Next.Text))
            {
                break;
            }
            else
            {
                _tokens.Take();
                body.Add(ParseTag());
            }
        }
        if (ends.Length > 0 && _tokens.Current.Kind == TokenKind.End)
        {
            throw _tokens.Fail($"the template ends where '{ends[^1]}' is expected");
        }
        _depth--;
        return body;
    }

    private Statement ParseTag()
    {
        int line = _tokens.Line;
        string tag = _tokens.ExpectName();
        return tag switch
        {
            "if" => ParseIf(line),
            "for" => ParseFor(line),
            "set" => ParseSet(line),
            "macro" => ParseMacro(line),
            "call" => ParseCall(line),
            "filter" => ParseFilterBlock(line),
            "with" => ParseWith(line),
            "generation" => ParseGeneration(line),
            "break" => ParseJump(tag, Flow.Break, line),
            "continue" => ParseJump(tag, Flow.Continue, line),
            _ => throw new TemplateFailure($"tag '{tag}' is not supported; known: {KnownTags}", FailureKind.Unknown, line),
        };
    }

    // The body up to one of the tags; takes that tag's name and returns it.
    private (List<Statement> Body, string End) ParseUntil(params string[] ends)
    {
        List<Statement> body = ParseBody(ends);
        _tokens.Take();
        return (body, _tokens.Take().Text);
    }

    private List<Statement> ParseUntilEnd(string end)
    {
        _tokens.Expect(TokenKind.BlockEnd);
        (List<Statement> body, _) = ParseUntil(end);
        return body;
    }

    private IfStatement ParseIf(int line)
    {
        var branches = new List<(Expression?, IReadOnlyList<Statement>)>();
        string tag = "if";
        while (tag != "endif")
        {
            Expression? condition = tag == "else" ? null : _expressions.ParseTuple(conditional: false);
            _tokens.Expect(TokenKind.BlockEnd);
            (List<Statement> body, tag) = tag == "else" ? ParseUntil("endif") : ParseUntil("elif", "else", "endif");
            branches.Add((condition, body));
        }
        _tokens.Expect(TokenKind.BlockEnd);
        return new IfStatement(branches) { Line = line };
    }

    private LoopStatement ParseFor(int line)
    {
        Target target = ParseTarget(attributes: false);
        if (!_tokens.TakeName("in"))
        {
            throw _tokens.Fail($"expected 'in', found {_tokens.Current.Quoted}");
        }
        Expression iterable = _expressions.ParseTuple(conditional: false);
        Expression? condition = _tokens.TakeName("if") ? _expressions.Parse() : null;
        if (_tokens.Current.IsName("recursive"))
        {
            throw _tokens.Fail("'recursive' loops are not supported", FailureKind.Unknown);
        }
        _tokens.Expect(TokenKind.BlockEnd);
        _loops++;
        (List<Statement> body, string end) = ParseUntil("else", "endfor");
        _loops--;
        List<Statement> otherwise = [];
        if (end == "else")
        {
            otherwise = ParseUntilEnd("endfor");
        }
        _tokens.Expect(TokenKind.BlockEnd);
        return new LoopStatement(target, iterable, condition, body, otherwise) { Line = line };
    }

    private Statement ParseSet(int line)
    {
        Target target = ParseTarget(attributes: true);
        if (_tokens.TakeOperator("="))
        {
            Expression value = _expressions.ParseTuple();
            _tokens.Expect(TokenKind.BlockEnd);
            return new SetStatement(target, value) { Line = line };
        }
        BlockFilter filter = _expressions.ParseBlockFilter(startsWithName: false);
        List<Statement> body = OutsideLoops(() => ParseUntilEnd("endset"));
        _tokens.Expect(TokenKind.BlockEnd);
        return new SetBlockStatement(target, filter, body) { Line = line };
    }

    private Target ParseTarget(bool attributes)
    {
        Target first = ParseOneTarget(attributes);
        if (!_tokens.Current.IsOperator(","))
        {
            return first;
        }
        var items = new List<Target> { first };
        while (_tokens.TakeOperator(","))
        {
            items.Add(ParseOneTarget(attributes));
        }
        return new Target.Several(items);
    }

    private Target ParseOneTarget(bool attributes)
    {
        if (_tokens.TakeOperator("("))
        {
            Target inner = ParseTarget(attributes);
            _tokens.Expect(")");
            return inner;
        }
        string name = _tokens.ExpectName();
        return attributes && _tokens.TakeOperator(".")
            ? new Target.NamespaceAttribute(name, _tokens.ExpectName()) : new Target.Variable(name);
    }

    private List<(string, Expression?)> ParseParameters()
    {
        var parameters = new List<(string, Expression?)>();
        _tokens.Expect("(");
        while (!_tokens.TakeOperator(")"))
        {
            if (parameters.Count > 0)
            {
                _tokens.Expect(",");
            }
            string name = _tokens.ExpectName();
            parameters.Add((name, _tokens.TakeOperator("=") ? _expressions.Parse() : null));
        }
        return parameters;
    }

    private MacroStatement ParseMacro(int line)
    {
        string name = _tokens.ExpectName();
        List<(string, Expression?)> parameters = ParseParameters();
        List<Statement> body = OutsideLoops(() => ParseUntilEnd("endmacro"));
        _tokens.Expect(TokenKind.BlockEnd);
        return new MacroStatement(new MacroDefinition(name, parameters, body)) { Line = line };
    }

    private CallBlockStatement ParseCall(int line)
    {
        List<(string, Expression?)> parameters = _tokens.Current.IsOperator("(") ? ParseParameters() : [];
        Token name = _tokens.Current;
        Expression callee = new NameExpression(_tokens.ExpectName()) { Line = name.Line };
        while (_tokens.TakeOperator("."))
        {
            callee = new AttributeExpression(callee, _tokens.ExpectName()) { Line = name.Line };
        }
        ArgumentList arguments = _expressions.ParseArguments();
        List<Statement> body = OutsideLoops(() => ParseUntilEnd("endcall"));
        _tokens.Expect(TokenKind.BlockEnd);
        return new CallBlockStatement(callee, arguments, new MacroDefinition("caller", parameters, body)) { Line = line };
    }

    private FilterStatement ParseFilterBlock(int line)
    {
        BlockFilter filter = _expressions.ParseBlockFilter(startsWithName: true);
        List<Statement> body = OutsideLoops(() => ParseUntilEnd("endfilter"));
        _tokens.Expect(TokenKind.BlockEnd);
        return new FilterStatement(filter, body) { Line = line };
    }

    private WithStatement ParseWith(int line)
    {
        var variables = new List<(Target, Expression)>();
        while (_tokens.Current.Kind != TokenKind.BlockEnd)
        {
            if (variables.Count > 0)
            {
                _tokens.Expect(",");
            }
            Target target = ParseOneTarget(attributes: false);
            _tokens.Expect("=");
            variables.Add((target, _expressions.Parse()));
        }
        List<Statement> body = ParseUntilEnd("endwith");
        _tokens.Expect(TokenKind.BlockEnd);
        return new WithStatement(variables, body) { Line = line };
    }

    private GenerationStatement ParseGeneration(int line)
    {
        List<Statement> body = OutsideLoops(() => ParseUntilEnd("endgeneration"));
        _tokens.Expect(TokenKind.BlockEnd);
        return new GenerationStatement(body) { Line = line };
    }

    private JumpStatement ParseJump(string tag, Flow flow, int line)
    {
        if (_loops == 0)
        {
            throw new TemplateFailure($"'{tag}' outside a loop", line: line);
        }
        _tokens.Expect(TokenKind.BlockEnd);
        return new JumpStatement(flow) { Line = line };
    }

    // A body that becomes a function of its own: no break or continue leads out of it.
    private List<Statement> OutsideLoops(Func<List<Statement>> parse)
    {
        int loops = _loops;
        _loops = 0;
        List<Statement> body = parse();
        _loops = loops;
        return body;
    }
}
