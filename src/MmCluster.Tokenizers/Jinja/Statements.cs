namespace MmCluster.Tokenizers.Jinja;

/// <summary>How a statement ended.</summary>
internal enum Flow
{
    Next,
    Break,
    Continue,
}

/// <summary>Something that writes text or sets variables.</summary>
internal abstract class Statement
{
    /// <summary>The source line.</summary>
    public required int Line { get; init; }

    public abstract Flow Run(Scope scope, TextValue.Builder output);

    /// <summary>Runs statements in order until one breaks out.</summary>
    public static Flow RunAll(IReadOnlyList<Statement> statements, Scope scope, TextValue.Builder output)
    {
        foreach (Statement statement in statements)
        {
            scope.State.Budget.Step();
            Flow flow = statement.Run(scope, output);
            if (flow != Flow.Next)
            {
                return flow;
            }
        }
        return Flow.Next;
    }

    /// <summary>Runs a body in a scope of its own and returns its text.</summary>
    public static TextValue Capture(IReadOnlyList<Statement> body, Scope scope)
    {
        var text = new TextValue.Builder(scope.State.Budget);
        RunAll(body, scope, text);
        return text.Build();
    }
}

/// <summary>Text between tags.</summary>
internal sealed class DataStatement(string text) : Statement
{
    public override Flow Run(Scope scope, TextValue.Builder output)
    {
        output.Append(text);
        return Flow.Next;
    }
}

/// <summary>{{ x }}.</summary>
internal sealed class PrintStatement(Expression expression) : Statement
{
    public override Flow Run(Scope scope, TextValue.Builder output)
    {
        Value value = expression.Evaluate(scope);
        output.Append(PythonText.Str(value, scope.State.Budget));
        return Flow.Next;
    }
}

/// <summary>{% if %}: the first branch whose condition holds; a null condition always does.</summary>
internal sealed class IfStatement(IReadOnlyList<(Expression? Condition, IReadOnlyList<Statement> Body)> branches) : Statement
{
    public override Flow Run(Scope scope, TextValue.Builder output)
    {
        foreach ((Expression? condition, IReadOnlyList<Statement> body) in branches)
        {
            if (condition is null || condition.Evaluate(scope).IsTrue)
            {
                return RunAll(body, scope, output);
            }
        }
        return Flow.Next;
    }
}

/// <summary>Where a value goes: a variable, an attribute of a namespace, or several of them.</summary>
internal abstract record Target
{
    public sealed record Variable(string Name) : Target;

    public sealed record NamespaceAttribute(string Name, string Attribute) : Target;

    public sealed record Several(IReadOnlyList<Target> Items) : Target;

    public void Assign(Value value, Scope scope)
    {
        switch (this)
        {
            case Variable variable:
                scope.Set(variable.Name, value);
                break;
            case NamespaceAttribute attribute when scope.Find(attribute.Name) is NamespaceValue found:
                found.Attributes[attribute.Attribute] = value;
                break;
            case NamespaceAttribute attribute:
                throw new TemplateFailure($"'{attribute.Name}' is no namespace: cannot assign attribute '{attribute.Attribute}'");
            case Several several:
                AssignEach(several, value, scope);
                break;
            default:
                throw new System.Diagnostics.UnreachableException();
        }
    }

    private static void AssignEach(Several several, Value value, Scope scope)
    {
        IReadOnlyList<Value> items = Access.Iterate(value, scope.State.Budget);
        if (items.Count != several.Items.Count)
        {
            throw new TemplateFailure($"{several.Items.Count} names for {items.Count} values");
        }
        for (int i = 0; i < items.Count; i++)
        {
            several.Items[i].Assign(items[i], scope);
        }
    }
}

/// <summary>{% set x = y %}.</summary>
internal sealed class SetStatement(Target target, Expression value) : Statement
{
    public override Flow Run(Scope scope, TextValue.Builder output)
    {
        Value result = value.Evaluate(scope);
        scope.State.Line = Line;
        target.Assign(result, scope);
        return Flow.Next;
    }
}

/// <summary>{% set x %}..{% endset %}.</summary>
internal sealed class SetBlockStatement(Target target, BlockFilter filter, IReadOnlyList<Statement> body) : Statement
{
    public override Flow Run(Scope scope, TextValue.Builder output)
    {
        Value result = filter.Apply(Capture(body, scope.Inner()), scope);
        scope.State.Line = Line;
        target.Assign(result, scope);
        return Flow.Next;
    }
}

/// <summary>{% filter f %}..{% endfilter %}.</summary>
internal sealed class FilterStatement(BlockFilter filter, IReadOnlyList<Statement> body) : Statement
{
    public override Flow Run(Scope scope, TextValue.Builder output)
    {
        output.Append(PythonText.Str(filter.Apply(Capture(body, scope.Inner()), scope), scope.State.Budget));
        return Flow.Next;
    }
}

/// <summary>{% with %}: variables for a body, given values in the scope around it.</summary>
internal sealed class WithStatement(IReadOnlyList<(Target Target, Expression Value)> variables, IReadOnlyList<Statement> body) : Statement
{
    public override Flow Run(Scope scope, TextValue.Builder output)
    {
        Scope inner = scope.Inner();
        foreach ((Target target, Expression value) in variables)
        {
            target.Assign(value.Evaluate(scope), inner);
        }
        return RunAll(body, inner, output);
    }
}

/// <summary>{% generation %}: marks what an assistant says; it prints its body, and what the body sets stays inside.</summary>
internal sealed class GenerationStatement(IReadOnlyList<Statement> body) : Statement
{
    public override Flow Run(Scope scope, TextValue.Builder output)
    {
        output.Append(Capture(body, scope.Inner()));
        return Flow.Next;
    }
}

/// <summary>{% break %} and {% continue %}.</summary>
internal sealed class JumpStatement(Flow flow) : Statement
{
    public override Flow Run(Scope scope, TextValue.Builder output) => flow;
}
