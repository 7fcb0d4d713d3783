namespace MmCluster.Tokenizers.Jinja;

/// <summary>The filters about lists.</summary>
internal static class ListFilters
{
    public static Value Join(Value value, Arguments arguments, RenderState state)
    {
        arguments.Allow("join", "d", "attribute");
        IReadOnlyList<Value> items = Access.Iterate(value, state.Budget);
        if (arguments.Get(1, "attribute") is { } attribute)
        {
            items = [.. items.Select(item => Attribute(item, attribute, state))];
        }
        TextValue separator = arguments.Get(0, "d") is { } given ? PythonText.Str(given, state.Budget) : TextValue.Empty;
        return Filters.Join(items, separator, state.Budget);
    }

    public static Value Map(Value value, Arguments arguments, RenderState state)
    {
        if (arguments.Positional.Count == 0)
        {
            arguments.Allow("map", "attribute", "default");
            Value name = arguments.Named.GetValueOrDefault("attribute") ?? throw new TemplateFailure("map requires a filter argument");
            Value? otherwise = arguments.Named.GetValueOrDefault("default");
            return new GeneratorValue(() => [.. Items(value, state).Select(item =>
                Attribute(item, name, state) is var found && found is UndefinedValue && otherwise is not null ? otherwise : found)]);
        }
        Filter filter = Filters.Find(NameOf(arguments.Positional[0]));
        Arguments rest = arguments with { Positional = [.. arguments.Positional.Skip(1)] };
        return new GeneratorValue(() => [.. Items(value, state).Select(item => filter(item, rest, state))]);
    }

    public static Value Select(Value value, Arguments arguments, RenderState state, bool attribute, bool keep)
    {
        int used = attribute ? 1 : 0;
        Value? name = attribute ? arguments.Required(0, "attribute", "selectattr") : null;
        Test test = arguments.Positional.Count > used ? Tests.Find(NameOf(arguments.Positional[used])) : (item, _, _) => item.IsTrue;
        Arguments rest = arguments with { Positional = [.. arguments.Positional.Skip(used + 1)] };
        return new GeneratorValue(() => [.. Items(value, state).Where(item =>
            test(name is null ? item : Attribute(item, name, state), rest, state) == keep)]);
    }

    public static Value Sort(Value value, Arguments arguments, RenderState state)
    {
        arguments.Allow("sort", "reverse", "case_sensitive", "attribute");
        Func<Value, Value> key = Key(arguments.Get(1, "case_sensitive"), arguments.Get(2, "attribute"), state);
        return new ListValue(Ordered(Access.Iterate(value, state.Budget), key, arguments.Get(0, "reverse")?.IsTrue == true));
    }

    public static Value DictSort(Value value, Arguments arguments, RenderState state)
    {
        arguments.Allow("dictsort", "case_sensitive", "by", "reverse");
        if (value is not DictValue dict)
        {
            throw new TemplateFailure($"dictsort: expected dict, not {value.TypeName}");
        }
        string by = arguments.Get(1, "by") is TextValue text ? text.Text : "key";
        int part = by switch { "key" => 0, "value" => 1, _ => throw new TemplateFailure($"dictsort: by '{by}' must be key or value") };
        Func<Value, Value> fold = Key(arguments.Get(0, "case_sensitive"), null, state);
        Value[] pairs = [.. dict.Entries.Select(entry => new ListValue([entry.Key, entry.Value], isTuple: true))];
        return new ListValue(Ordered(pairs, pair => fold(((ListValue)pair).Items[part]), arguments.Get(2, "reverse")?.IsTrue == true));
    }

    public static Value Unique(Value value, Arguments arguments, RenderState state)
    {
        arguments.Allow("unique", "case_sensitive", "attribute");
        Func<Value, Value> key = Key(arguments.Get(0, "case_sensitive"), arguments.Get(1, "attribute"), state);
        return new GeneratorValue(() => [.. Access.Iterate(value, state.Budget).DistinctBy(key, ValueEquality.Instance)]);
    }

    public static Value GroupBy(Value value, Arguments arguments, RenderState state)
    {
        arguments.Allow("groupby", "attribute", "default", "case_sensitive");
        Value name = arguments.Required(0, "attribute", "groupby");
        Value Group(Value item) => Attribute(item, name, state) is var found && found is UndefinedValue
            ? arguments.Get(1, "default") ?? found : found;
        Func<Value, Value> fold = Key(arguments.Get(2, "case_sensitive"), null, state);
        IReadOnlyList<Value> items = Ordered(Access.Iterate(value, state.Budget), item => fold(Group(item)), reverse: false);
        return new ListValue([.. items.GroupBy(item => fold(Group(item)), ValueEquality.Instance)
            .Select(group => new ListValue([Group(group.First()), new ListValue([.. group])], isTuple: true))]);
    }

    public static Value Extreme(Value value, Arguments arguments, RenderState state, int sign)
    {
        arguments.Allow(sign > 0 ? "max" : "min", "case_sensitive", "attribute");
        Func<Value, Value> key = Key(arguments.Get(0, "case_sensitive"), arguments.Get(1, "attribute"), state);
        IReadOnlyList<Value> items = Access.Iterate(value, state.Budget);
        if (items.Count == 0)
        {
            return new UndefinedValue("No aggregated item, sequence was empty.");
        }
        return items.Aggregate((best, item) => Operators.Order(key(item), key(best)) * sign > 0 ? item : best);
    }

    public static Value Sum(Value value, Arguments arguments, RenderState state)
    {
        arguments.Allow("sum", "attribute", "start");
        return Access.Iterate(value, state.Budget)
            .Select(item => arguments.Get(0, "attribute") is { } name and not NoneValue ? Attribute(item, name, state) : item)
            .Aggregate(arguments.Get(1, "start") ?? Value.Of(0), (sum, item) => Operators.Binary("+", sum, item, state.Budget));
    }

    public static Value Batch(Value value, Arguments arguments, RenderState state)
    {
        arguments.Allow("batch", "linecount", "fill_with");
        if (!Operators.TryInteger(arguments.Required(0, "linecount", "batch"), out long size) || size is < 1 or > 1_000_000)
        {
            throw new TemplateFailure("batch: the size must be a positive integer");
        }
        Value? fill = arguments.Get(1, "fill_with");
        return new GeneratorValue(() => [.. Access.Iterate(value, state.Budget).Chunk((int)size).Select(chunk =>
        {
            int missing = fill is null or NoneValue ? 0 : (int)size - chunk.Length;
            state.Budget.Step(missing);
            return new ListValue([.. chunk, .. Enumerable.Repeat(fill!, missing)]);
        })]);
    }

    // What is empty, None for one, is taken as it is, iterable or not.
    private static IReadOnlyList<Value> Items(Value value, RenderState state) => value.IsTrue ? Access.Iterate(value, state.Budget) : [];

    /// <summary>An attribute by a dotted path, or an item by number.</summary>
    private static Value Attribute(Value item, Value name, RenderState state)
    {
        if (name is IntValue)
        {
            return Access.Item(item, name, state);
        }
        foreach (string part in NameOf(name).Split('.'))
        {
            bool isNumber = part.Length > 0 && part.Length < 10 && part.All(char.IsAsciiDigit);
            // Items come before methods here: environment.getitem, unlike the dot in an expression.
            item = Access.Item(item, isNumber
                ? Value.Of(int.Parse(part, System.Globalization.CultureInfo.InvariantCulture)) : new TextValue(part), state);
        }
        return item;
    }

    private static string NameOf(Value value) => value is TextValue text ? text.Text
        : throw new TemplateFailure($"expected a name, not {value.TypeName}");

    private static Func<Value, Value> Key(Value? caseSensitive, Value? attribute, RenderState state)
    {
        bool fold = caseSensitive?.IsTrue != true;
        return item =>
        {
            Value key = attribute is null or NoneValue ? item : Attribute(item, attribute, state);
            return fold && key is TextValue text ? TextMethods.Lower(text) : key;
        };
    }

    private static List<Value> Ordered(IReadOnlyList<Value> items, Func<Value, Value> key, bool reverse) =>
        Operators.Sort(items, key, reverse);
}
