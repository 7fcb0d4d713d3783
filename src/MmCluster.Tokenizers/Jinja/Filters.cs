namespace MmCluster.Tokenizers.Jinja;

/// <summary>value | filter(arguments).</summary>
internal delegate Value Filter(Value value, Arguments arguments, RenderState state);

/// <summary>Jinja's filters by name.</summary>
internal static class Filters
{
    private static readonly Dictionary<string, Filter> ByName = new(StringComparer.Ordinal)
    {
        ["abs"] = (value, _, _) => NumberFilters.Abs(value),
        ["attr"] = (value, arguments, state) => Access.Member(value, Name(arguments.Required(0, "name", "attr")), state),
        ["batch"] = ListFilters.Batch,
        ["capitalize"] = (value, _, state) => TextMethods.Capitalize(Text(value, state), state.Budget),
        ["count"] = (value, _, _) => Length(value),
        ["d"] = Default,
        ["default"] = Default,
        ["dictsort"] = ListFilters.DictSort,
        ["e"] = (value, _, state) => Escape(Text(value, state), state.Budget),
        ["escape"] = (value, _, state) => Escape(Text(value, state), state.Budget),
        ["first"] = (value, _, state) => Access.Iterate(value, state.Budget) is [var first, ..] ? first
            : new UndefinedValue("No first item, sequence was empty."),
        ["float"] = (value, arguments, _) => NumberFilters.ToFloat(value, arguments),
        ["format"] = (value, arguments, state) => TextFormat.Percent(Text(value, state), arguments.Positional, state.Budget),
        ["groupby"] = ListFilters.GroupBy,
        ["indent"] = Indent,
        ["int"] = (value, arguments, _) => NumberFilters.ToInteger(value, arguments),
        ["items"] = Items,
        ["join"] = ListFilters.Join,
        ["last"] = (value, _, state) => Access.Iterate(value, state.Budget) is [.., var last] ? last
            : new UndefinedValue("No last item, sequence was empty."),
        ["length"] = (value, _, _) => Length(value),
        ["list"] = (value, _, state) => new ListValue(Access.Iterate(value, state.Budget)),
        ["lower"] = (value, _, state) => TextMethods.Lower(Text(value, state)),
        ["map"] = ListFilters.Map,
        ["max"] = (value, arguments, state) => ListFilters.Extreme(value, arguments, state, sign: 1),
        ["min"] = (value, arguments, state) => ListFilters.Extreme(value, arguments, state, sign: -1),
        ["reject"] = (value, arguments, state) => ListFilters.Select(value, arguments, state, attribute: false, keep: false),
        ["rejectattr"] = (value, arguments, state) => ListFilters.Select(value, arguments, state, attribute: true, keep: false),
        ["replace"] = Replace,
        ["reverse"] = (value, _, state) => Reverse(value, state),
        ["round"] = (value, arguments, _) => NumberFilters.Round(value, arguments),
        ["safe"] = (value, _, state) => Text(value, state),
        ["select"] = (value, arguments, state) => ListFilters.Select(value, arguments, state, attribute: false, keep: true),
        ["selectattr"] = (value, arguments, state) => ListFilters.Select(value, arguments, state, attribute: true, keep: true),
        ["sort"] = ListFilters.Sort,
        ["string"] = (value, _, state) => Text(value, state),
        ["sum"] = ListFilters.Sum,
        ["title"] = (value, _, state) => TextMethods.TitleWords(Text(value, state)),
        ["tojson"] = JsonText.ToJson,
        ["trim"] = (value, arguments, state) => TextMethods.Strip(Text(value, state), arguments.Get(0, "chars"), left: true, right: true),
        ["unique"] = ListFilters.Unique,
        ["upper"] = (value, _, state) => TextMethods.Upper(Text(value, state)),
        ["wordcount"] = (value, _, state) => Value.Of(TextMethods.CountWords(Text(value, state).Text)),
    };

    /// <summary>A filter; throws naming it when it is not known.</summary>
    public static Filter Find(string name) => ByName.GetValueOrDefault(name)
        ?? throw new TemplateFailure($"filter '{name}' is not supported; known: {string.Join(", ", ByName.Keys)}", FailureKind.Unknown);

    /// <summary>Whether a filter is known.</summary>
    public static bool Exists(string name) => ByName.ContainsKey(name);

    /// <summary>The items as text with a separator between them.</summary>
    public static TextValue Join(IReadOnlyList<Value> items, TextValue separator, Budget budget)
    {
        var text = new TextValue.Builder(budget);
        for (int i = 0; i < items.Count; i++)
        {
            if (i > 0)
            {
                text.Append(separator);
            }
            text.Append(PythonText.Str(items[i], budget));
        }
        return text.Build();
    }

    private static TextValue Text(Value value, RenderState state) => PythonText.Str(value, state.Budget);

    private static string Name(Value value) => value is TextValue text ? text.Text
        : throw new TemplateFailure($"expected a name, not {value.TypeName}");

    private static IntValue Length(Value value) => Value.Of(value switch
    {
        TextValue text => text.Length,
        ListValue list => list.Items.Count,
        DictValue dict => dict.Entries.Count,
        UndefinedValue => 0,
        _ => throw new TemplateFailure($"object of type '{value.TypeName}' has no len()"),
    });

    private static Value Default(Value value, Arguments arguments, RenderState state)
    {
        arguments.Allow("default", "default_value", "boolean");
        bool falsy = arguments.Get(1, "boolean")?.IsTrue == true;
        return value is UndefinedValue || (falsy && !value.IsTrue) ? arguments.Get(0, "default_value") ?? TextValue.Empty : value;
    }

    private static GeneratorValue Items(Value value, Arguments arguments, RenderState state) => value switch
    {
        UndefinedValue => new GeneratorValue(() => []),
        DictValue => new GeneratorValue(() => ((ListValue)((FunctionValue)Methods.Find(value, "items", state)!).Call(Arguments.Empty)).Items),
        _ => throw new TemplateFailure("Can only get item pairs from a mapping."),
    };

    private static TextValue Replace(Value value, Arguments arguments, RenderState state)
    {
        arguments.Allow("replace", "old", "new", "count");
        long count = arguments.Get(2, "count") is { } limit && Operators.TryInteger(limit, out long given) ? given : -1;
        return TextMethods.Replace(
            Text(value, state),
            Text(arguments.Required(0, "old", "replace"), state),
            Text(arguments.Required(1, "new", "replace"), state),
            count,
            state.Budget);
    }

    private static Value Reverse(Value value, RenderState state)
    {
        Value[] items = [.. Access.Iterate(value, state.Budget).Reverse()];
        return value is TextValue ? Join(items, TextValue.Empty, state.Budget) : new GeneratorValue(() => items);
    }

    // Jinja adds a newline before it splits, so that one at the end survives.
    private static TextValue Indent(Value value, Arguments arguments, RenderState state)
    {
        arguments.Allow("indent", "width", "first", "blank");
        TextValue text = value as TextValue ?? throw new TemplateFailure($"indent: expected str, not {value.TypeName}");
        TextValue space = arguments.Get(0, "width") switch
        {
            null => new TextValue("    "),
            TextValue given => given,
            IntValue width => new TextValue(new string(' ', (int)Math.Clamp(width.Value, 0, 1000))),
            var other => throw new TemplateFailure($"indent: the width is a {other.TypeName}"),
        };
        bool blank = arguments.Get(2, "blank")?.IsTrue == true;
        var result = new TextValue.Builder(state.Budget);
        if (arguments.Get(1, "first")?.IsTrue == true)
        {
            result.Append(space);
        }
        TextValue withEnd = new TextValue.Builder(state.Budget).Append(text).Append("\n").Build();
        List<Value> lines = TextMethods.SplitLines(withEnd, keepEnds: false);
        for (int i = 0; i < lines.Count; i++)
        {
            var line = (TextValue)lines[i];
            if (i > 0)
            {
                result.Append("\n");
                if (blank || line.IsTrue)
                {
                    result.Append(space);
                }
            }
            result.Append(line);
        }
        return result.Build();
    }

    private static TextValue Escape(TextValue text, Budget budget)
    {
        foreach ((string from, string to) in new[] { ("&", "&amp;"), (">", "&gt;"), ("<", "&lt;"), ("'", "&#39;"), ("\"", "&#34;") })
        {
            text = TextMethods.Replace(text, new TextValue(from), new TextValue(to), -1, budget);
        }
        return text;
    }
}
