namespace MmCluster.Tokenizers.Jinja;

/// <summary>The parameters and body of a macro or a call block.</summary>
internal sealed record MacroDefinition(
    string Name, IReadOnlyList<(string Name, Expression? Default)> Parameters, IReadOnlyList<Statement> Body)
{
    /// <summary>Makes it callable; its body sees the scope that it stands in.</summary>
    public FunctionValue Bind(Scope scope) => new(Name, arguments => Call(arguments, scope));

    private TextValue Call(Arguments arguments, Scope around)
    {
        Scope scope = around.Inner();
        var bound = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < Parameters.Count; i++)
        {
            (string name, Expression? otherwise) = Parameters[i];
            bound.Add(name);
            Value? given = i < arguments.Positional.Count ? arguments.Positional[i] : arguments.Named.GetValueOrDefault(name);
            scope.Set(name, given ?? otherwise?.Evaluate(scope) ?? new UndefinedValue($"parameter '{name}' was not provided"));
        }
        scope.Set("varargs", new ListValue([.. arguments.Positional.Skip(Parameters.Count)], isTuple: true));
        var rest = new DictValue();
        foreach ((string name, Value value) in arguments.Named.Where(pair => !bound.Contains(pair.Key)))
        {
            if (name == "caller")
            {
                scope.Set(name, value);
            }
            else
            {
                rest.Set(new TextValue(name), value);
            }
        }
        scope.Set("kwargs", rest);
        return Statement.Capture(Body, scope);
    }
}

/// <summary>{% macro f(..) %}..{% endmacro %}.</summary>
internal sealed class MacroStatement(MacroDefinition definition) : Statement
{
    public override Flow Run(Scope scope, TextValue.Builder output)
    {
        scope.Set(definition.Name, definition.Bind(scope));
        return Flow.Next;
    }
}

/// <summary>{% call f(..) %}..{% endcall %}: f may call caller() for the body.</summary>
internal sealed class CallBlockStatement(Expression callee, ArgumentList arguments, MacroDefinition body) : Statement
{
    public override Flow Run(Scope scope, TextValue.Builder output)
    {
        Value function = callee.Evaluate(scope);
        Arguments given = arguments.Evaluate(scope);
        var named = new Dictionary<string, Value>(given.Named) { ["caller"] = body.Bind(scope) };
        scope.State.Line = Line;
        Value result = CallExpression.Invoke(function, given with { Named = named }, scope.State);
        output.Append(PythonText.Str(result, scope.State.Budget));
        return Flow.Next;
    }
}
