namespace MmCluster.Tokenizers.Jinja;

/// <summary>Something that has a value.</summary>
internal abstract class Expression
{
    /// <summary>The source line.</summary>
    public required int Line { get; init; }

    /// <summary>The value in a scope.</summary>
    public Value Evaluate(Scope scope)
    {
        scope.State.Budget.Step();
        Value value = Compute(scope);
        // Set after the parts, so that a failure further out names the line of its own construct.
        scope.State.Line = Line;
        return value;
    }

    protected abstract Value Compute(Scope scope);
}

/// <summary>A literal.</summary>
internal sealed class Literal(Value value) : Expression
{
    public Value Value => value;

    protected override Value Compute(Scope scope) => value;
}

/// <summary>A variable.</summary>
internal sealed class NameExpression(string name) : Expression
{
    public string Name => name;

    protected override Value Compute(Scope scope) => scope.Find(name) ?? new UndefinedValue($"'{name}' is undefined");
}

/// <summary>[..] or (..).</summary>
internal sealed class ListExpression(IReadOnlyList<Expression> items, bool isTuple) : Expression
{
    public IReadOnlyList<Expression> Items => items;
    public bool IsTuple => isTuple;

    protected override Value Compute(Scope scope) => new ListValue([.. items.Select(item => item.Evaluate(scope))], isTuple);
}

/// <summary>{..}.</summary>
internal sealed class DictExpression(IReadOnlyList<(Expression Key, Expression Value)> entries) : Expression
{
    protected override Value Compute(Scope scope)
    {
        var result = new DictValue();
        foreach ((Expression key, Expression value) in entries)
        {
            result.Set(key.Evaluate(scope), value.Evaluate(scope));
        }
        return result;
    }
}

/// <summary>- x, + x or not x.</summary>
internal sealed class UnaryExpression(string op, Expression operand) : Expression
{
    protected override Value Compute(Scope scope)
    {
        Value value = operand.Evaluate(scope);
        scope.State.Line = Line;
        return op == "not" ? Value.Of(!value.IsTrue) : Operators.Unary(op, value);
    }
}

/// <summary>x op y.</summary>
internal sealed class BinaryExpression(string op, Expression left, Expression right) : Expression
{
    protected override Value Compute(Scope scope)
    {
        Value first = left.Evaluate(scope);
        if (op == "and" ? !first.IsTrue : op == "or" && first.IsTrue)
        {
            return first;
        }
        Value second = right.Evaluate(scope);
        scope.State.Line = Line;
        return op is "and" or "or" ? second : Operators.Binary(op, first, second, scope.State.Budget);
    }
}

/// <summary>x ~ y ~ z.</summary>
internal sealed class ConcatExpression(IReadOnlyList<Expression> parts) : Expression
{
    protected override Value Compute(Scope scope)
    {
        var text = new TextValue.Builder(scope.State.Budget);
        foreach (Expression part in parts)
        {
            text.Append(PythonText.Str(part.Evaluate(scope), scope.State.Budget));
        }
        return text.Build();
    }
}

/// <summary>A chain of comparisons: each holds between neighbours.</summary>
internal sealed class CompareExpression(Expression first, IReadOnlyList<(string Op, Expression Operand)> rest) : Expression
{
    protected override Value Compute(Scope scope)
    {
        Value left = first.Evaluate(scope);
        foreach ((string op, Expression operand) in rest)
        {
            Value right = operand.Evaluate(scope);
            scope.State.Line = Line;
            if (!Operators.Compare(op, left, right))
            {
                return Value.False;
            }
            left = right;
        }
        return Value.True;
    }
}

/// <summary>x if condition else y.</summary>
internal sealed class ConditionalExpression(Expression condition, Expression then, Expression? otherwise) : Expression
{
    protected override Value Compute(Scope scope) => condition.Evaluate(scope).IsTrue
        ? then.Evaluate(scope)
        : otherwise?.Evaluate(scope)
            ?? new UndefinedValue("the inline if-expression evaluated to false and no else section was defined");
}

/// <summary>x.name.</summary>
internal sealed class AttributeExpression(Expression target, string name) : Expression
{
    public Expression Target => target;
    public string Name => name;

    protected override Value Compute(Scope scope)
    {
        Value value = target.Evaluate(scope);
        scope.State.Line = Line;
        return Access.Attribute(value, name, scope.State);
    }
}

/// <summary>x[key].</summary>
internal sealed class ItemExpression(Expression target, Expression key) : Expression
{
    protected override Value Compute(Scope scope)
    {
        Value value = target.Evaluate(scope);
        Value index = key.Evaluate(scope);
        scope.State.Line = Line;
        return Access.Item(value, index, scope.State);
    }
}

/// <summary>x[start:stop:step].</summary>
internal sealed class SliceExpression(Expression target, Expression? start, Expression? stop, Expression? step) : Expression
{
    protected override Value Compute(Scope scope)
    {
        Value value = target.Evaluate(scope);
        long? from = Bound(start, scope);
        long? to = Bound(stop, scope);
        long? by = Bound(step, scope);
        scope.State.Line = Line;
        return Access.Slice(value, from, to, by ?? 1, scope.State.Budget);
    }

    private static long? Bound(Expression? expression, Scope scope) => expression?.Evaluate(scope) switch
    {
        null or NoneValue => null,
        IntValue integer => integer.Value,
        BoolValue boolean => boolean.Value ? 1 : 0,
        UndefinedValue undefined => throw undefined.Fail(),
        var other => throw new TemplateFailure($"slice indices must be integers or None, not {other.TypeName}"),
    };
}

/// <summary>Arguments as written.</summary>
internal sealed record ArgumentList(IReadOnlyList<Expression> Positional, IReadOnlyList<(string Name, Expression Value)> Named)
{
    public static readonly ArgumentList Empty = new([], []);

    /// <summary>Their values.</summary>
    public Arguments Evaluate(Scope scope)
    {
        if (Positional.Count + Named.Count == 0)
        {
            return Arguments.Empty;
        }
        var named = new Dictionary<string, Value>(StringComparer.Ordinal);
        Value[] positional = [.. Positional.Select(item => item.Evaluate(scope))];
        foreach ((string name, Expression value) in Named)
        {
            named[name] = value.Evaluate(scope);
        }
        return new Arguments(positional, named);
    }
}

/// <summary>f(..).</summary>
internal sealed class CallExpression(Expression target, ArgumentList arguments) : Expression
{
    protected override Value Compute(Scope scope)
    {
        Value callee = target.Evaluate(scope);
        Arguments values = arguments.Evaluate(scope);
        scope.State.Line = Line;
        return Invoke(callee, values, scope.State);
    }

    /// <summary>Calls a value.</summary>
    public static Value Invoke(Value callee, Arguments arguments, RenderState state)
    {
        state.Budget.Enter();
        Value result = callee switch
        {
            FunctionValue function => function.Call(arguments),
            UndefinedValue undefined => throw undefined.Fail(),
            _ => throw new TemplateFailure($"'{callee.TypeName}' object is not callable"),
        };
        state.Budget.Leave();
        return result;
    }
}

/// <summary>x | filter(..); without a target it filters a block's text.</summary>
internal sealed class FilterExpression(Expression? target, string name, ArgumentList arguments) : Expression
{
    private readonly Filter _filter = Filters.Find(name);

    public Expression? Target => target;

    public Value Apply(Value value, Scope scope)
    {
        Arguments values = arguments.Evaluate(scope);
        scope.State.Line = Line;
        return _filter(value, values, scope.State);
    }

    protected override Value Compute(Scope scope) => Apply(target!.Evaluate(scope), scope);
}

/// <summary>A chain of filters over a block's text.</summary>
internal sealed class BlockFilter(IReadOnlyList<FilterExpression> chain)
{
    public Value Apply(Value value, Scope scope)
    {
        foreach (FilterExpression filter in chain)
        {
            value = filter.Apply(value, scope);
        }
        return value;
    }
}

/// <summary>x is test(..).</summary>
internal sealed class TestExpression(Expression target, string name, ArgumentList arguments, bool negated) : Expression
{
    private readonly Test _test = Tests.Find(name);

    protected override Value Compute(Scope scope)
    {
        Value value = target.Evaluate(scope);
        Arguments values = arguments.Evaluate(scope);
        scope.State.Line = Line;
        return Value.Of(_test(value, values, scope.State) != negated);
    }
}
