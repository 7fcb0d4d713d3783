namespace MmCluster.Tokenizers.Jinja;

/// <summary>Tokens with a place to read at.</summary>
internal sealed class TokenStream(IReadOnlyList<Token> tokens)
{
    private int _at;

    public Token Current => tokens[_at];

    public Token Next => tokens[Math.Min(_at + 1, tokens.Count - 1)];

    public int Line => Current.Line;

    public Token Take()
    {
        Token token = tokens[_at];
        _at = Math.Min(_at + 1, tokens.Count - 1);
        return token;
    }

    public bool TakeOperator(string text)
    {
        bool found = Current.IsOperator(text);
        if (found)
        {
            Take();
        }
        return found;
    }

    public bool TakeName(string name)
    {
        bool found = Current.IsName(name);
        if (found)
        {
            Take();
        }
        return found;
    }

    public void Expect(string op)
    {
        if (!TakeOperator(op))
        {
            throw Fail($"expected '{op}', found {Current.Quoted}");
        }
    }

    public void Expect(TokenKind kind)
    {
        if (Current.Kind != kind)
        {
            throw Fail($"expected {(kind == TokenKind.BlockEnd ? "'%}'" : "'}}'")}, found {Current.Quoted}");
        }
        Take();
    }

    public string ExpectName()
    {
        if (Current.Kind != TokenKind.Name)
        {
            throw Fail($"expected a name, found {Current.Quoted}");
        }
        return Take().Text;
    }

    public TemplateFailure Fail(string message, FailureKind kind = FailureKind.Content) => new(message, kind, Line);
}
