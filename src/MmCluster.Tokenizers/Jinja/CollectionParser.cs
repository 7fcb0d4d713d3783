namespace MmCluster.Tokenizers.Jinja;

/// <summary>Parses tuples, lists and dictionaries; <paramref name="parse"/> parses what is in them.</summary>
internal sealed class CollectionParser(TokenStream tokens, Func<Expression> parse)
{
    /// <summary>What stands in parentheses, the opening one taken: a tuple, or the one expression in it.</summary>
    public Expression ParseParentheses(int line)
    {
        if (tokens.TakeOperator(")"))
        {
            return new ListExpression([], isTuple: true) { Line = line };
        }
        Expression first = parse();
        if (tokens.TakeOperator(")"))
        {
            return first;
        }
        tokens.Expect(",");
        return new ListExpression([first, .. ParseItems(")")], isTuple: true) { Line = line };
    }

    /// <summary>Expressions with commas between them, up to and including the closing mark.</summary>
    public List<Expression> ParseItems(string close)
    {
        var items = new List<Expression>();
        while (!tokens.TakeOperator(close))
        {
            items.Add(parse());
            if (!tokens.Current.IsOperator(close))
            {
                tokens.Expect(",");
            }
        }
        return items;
    }

    /// <summary>A dictionary, its opening brace taken.</summary>
    public DictExpression ParseDict(int line)
    {
        var entries = new List<(Expression, Expression)>();
        while (!tokens.TakeOperator("}"))
        {
            Expression key = parse();
            tokens.Expect(":");
            entries.Add((key, parse()));
            if (!tokens.Current.IsOperator("}"))
            {
                tokens.Expect(",");
            }
        }
        return new DictExpression(entries) { Line = line };
    }
}
