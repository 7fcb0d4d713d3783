namespace MmCluster.Tokenizers.Jinja;

/// <summary>{% for x in y if z %}..{% else %}..{% endfor %}.</summary>
internal sealed class LoopStatement(
    Target target, Expression iterable, Expression? condition, IReadOnlyList<Statement> body, IReadOnlyList<Statement> otherwise)
    : Statement
{
    public override Flow Run(Scope scope, TextValue.Builder output)
    {
        Value source = iterable.Evaluate(scope);
        scope.State.Line = Line;
        IReadOnlyList<Value> items = Select(Access.Iterate(source, scope.State.Budget), scope);
        if (items.Count == 0)
        {
            return RunAll(otherwise, scope.Inner(), output);
        }
        scope.State.Budget.Enter();
        var loop = new LoopState(items, scope.State.Budget);
        for (int i = 0; i < items.Count; i++)
        {
            loop.Index = i;
            Scope inner = scope.Inner();
            target.Assign(items[i], inner);
            inner.Set("loop", loop.Value);
            if (RunAll(body, inner, output) == Flow.Break)
            {
                break;
            }
        }
        scope.State.Budget.Leave();
        return Flow.Next;
    }

    private IReadOnlyList<Value> Select(IReadOnlyList<Value> items, Scope scope)
    {
        if (condition is null)
        {
            return items;
        }
        var selected = new List<Value>();
        foreach (Value item in items)
        {
            Scope inner = scope.Inner();
            target.Assign(item, inner);
            if (condition.Evaluate(inner).IsTrue)
            {
                selected.Add(item);
            }
        }
        return selected;
    }
}

/// <summary>What "loop" stands for inside a loop.</summary>
internal sealed class LoopState
{
    private readonly IReadOnlyList<Value> _items;
    private readonly FunctionValue _cycle;
    private readonly FunctionValue _changed;
    private Value? _last;

    public LoopState(IReadOnlyList<Value> items, Budget budget)
    {
        _items = items;
        _cycle = new FunctionValue("cycle", arguments => arguments.Positional.Count == 0
            ? throw new TemplateFailure("no items for cycling given")
            : arguments.Positional[Index % arguments.Positional.Count]);
        _changed = new FunctionValue("changed", arguments =>
        {
            budget.Step();
            var now = new ListValue([.. arguments.Positional], isTuple: true);
            bool changed = _last is null || !ValueEquality.Instance.Equals(_last, now);
            _last = now;
            return Jinja.Value.Of(changed);
        });
        Value = new ObjectValue("LoopContext", Attribute);
    }

    /// <summary>Where the loop stands, from 0.</summary>
    public int Index { get; set; }

    public ObjectValue Value { get; }

    private Value? Attribute(string name) => name switch
    {
        "index" => Jinja.Value.Of(Index + 1),
        "index0" => Jinja.Value.Of(Index),
        "revindex" => Jinja.Value.Of(_items.Count - Index),
        "revindex0" => Jinja.Value.Of(_items.Count - Index - 1),
        "first" => Jinja.Value.Of(Index == 0),
        "last" => Jinja.Value.Of(Index == _items.Count - 1),
        "length" => Jinja.Value.Of(_items.Count),
        "depth" => Jinja.Value.Of(1),
        "depth0" => Jinja.Value.Of(0),
        "previtem" => Index > 0 ? _items[Index - 1] : new UndefinedValue("there is no previous item"),
        "nextitem" => Index + 1 < _items.Count ? _items[Index + 1] : new UndefinedValue("there is no next item"),
        "cycle" => _cycle,
        "changed" => _changed,
        _ => null,
    };
}
