namespace MmCluster.Tokenizers.Jinja;

/// <summary>What a token is.</summary>
internal enum TokenKind
{
    Data,
    BlockBegin,
    BlockEnd,
    VariableBegin,
    VariableEnd,
    Name,
    String,
    Integer,
    Float,
    Operator,
    End,
}

/// <summary>A piece of a template's source.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, int Line)
{
    public bool IsName(string name) => Kind == TokenKind.Name && Text == name;

    public bool IsOperator(string text) => Kind == TokenKind.Operator && Text == text;

    /// <summary>How an error names it.</summary>
    public string Quoted => Kind == TokenKind.End ? "the end of the template" : $"'{(Text.Length > 40 ? Text[..40] + "…" : Text)}'";
}
