namespace MmCluster.Tokenizers.Jinja;

/// <summary>The functions that every template sees.</summary>
internal static class Globals
{
    // The sandbox's own limit.
    private const int MaxRange = 100_000;

    public static void Define(Scope scope)
    {
        RenderState state = scope.State;
        Add(scope, "range", arguments => Range(arguments, state.Budget));
        Add(scope, "dict", arguments => Dict(arguments, state.Budget));
        Add(scope, "namespace", arguments => Namespace(arguments, state.Budget));
        Add(scope, "raise_exception", arguments => throw new TemplateFailure(
            PythonText.Str(arguments.Required(0, "message", "raise_exception"), state.Budget).Text, FailureKind.Refused));
        Add(scope, "strftime_now", arguments => arguments.Required(0, "format", "strftime_now") is TextValue format
            ? format.Mapped(Strftime.Format(state.Time.GetLocalNow(), format.Text))
            : throw new TemplateFailure("strftime_now: the format is no string"));
        Add(scope, "joiner", arguments =>
        {
            TextValue separator = arguments.Get(0, "sep") is TextValue given ? given : new TextValue(", ");
            bool used = false;
            return new FunctionValue("joiner", _ =>
            {
                TextValue result = used ? separator : TextValue.Empty;
                used = true;
                return result;
            });
        });
    }

    private static void Add(Scope scope, string name, Func<Arguments, Value> function) =>
        scope.Set(name, new FunctionValue(name, function));

    private static ListValue Range(Arguments arguments, Budget budget)
    {
        var bounds = new List<long>();
        foreach (Value value in arguments.Positional)
        {
            bounds.Add(Operators.TryInteger(value, out long bound) ? bound
                : throw new TemplateFailure($"'{value.TypeName}' object cannot be interpreted as an integer"));
        }
        (long start, long stop, long step) = bounds.Count switch
        {
            1 => (0, bounds[0], 1L),
            2 => (bounds[0], bounds[1], 1L),
            3 when bounds[2] != 0 => (bounds[0], bounds[1], bounds[2]),
            _ => throw new TemplateFailure("range: expected 1 to 3 integers, the step not zero"),
        };
        decimal count = Math.Max(0, Math.Ceiling(((decimal)stop - start) / step));
        if (count > MaxRange)
        {
            throw new TemplateFailure($"Range too big. The maximum size for a range is {MaxRange}.");
        }
        budget.Step((long)count);
        return new ListValue([.. Enumerable.Range(0, (int)count).Select(i => Value.Of(start + i * step))]);
    }

    private static DictValue Dict(Arguments arguments, Budget budget)
    {
        var result = new DictValue();
        if (arguments.Positional is [DictValue source])
        {
            foreach (KeyValuePair<Value, Value> entry in source.Entries)
            {
                result.Set(entry.Key, entry.Value);
            }
        }
        else if (arguments.Positional is [var pairs])
        {
            foreach (Value pair in Access.Iterate(pairs, budget))
            {
                IReadOnlyList<Value> items = Access.Iterate(pair, budget);
                result.Set(items.Count == 2 ? items[0] : throw new TemplateFailure("dict: expected pairs"), items[1]);
            }
        }
        foreach ((string name, Value value) in arguments.Named)
        {
            result.Set(new TextValue(name), value);
        }
        return result;
    }

    private static NamespaceValue Namespace(Arguments arguments, Budget budget)
    {
        var result = new NamespaceValue();
        foreach (KeyValuePair<Value, Value> entry in Dict(arguments, budget).Entries)
        {
            result.Attributes[PythonText.Str(entry.Key, budget).Text] = entry.Value;
        }
        return result;
    }
}
