namespace MmCluster.Tokenizers.Jinja;

/// <summary>value is test(arguments).</summary>
internal delegate bool Test(Value value, Arguments arguments, RenderState state);

/// <summary>Jinja's tests by name.</summary>
internal static class Tests
{
    private static readonly Dictionary<string, Test> ByName = new(StringComparer.Ordinal)
    {
        ["defined"] = (value, _, _) => value is not UndefinedValue,
        ["undefined"] = (value, _, _) => value is UndefinedValue,
        ["none"] = (value, _, _) => value is NoneValue,
        ["string"] = (value, _, _) => value is TextValue,
        ["mapping"] = (value, _, _) => value is DictValue,
        ["sequence"] = (value, _, _) => value is TextValue or ListValue or DictValue or UndefinedValue,
        ["iterable"] = (value, _, _) => value is TextValue or ListValue or GeneratorValue or DictValue or UndefinedValue,
        ["number"] = (value, _, _) => value is IntValue or FloatValue or BoolValue,
        ["integer"] = (value, _, _) => value is IntValue,
        ["float"] = (value, _, _) => value is FloatValue,
        ["boolean"] = (value, _, _) => value is BoolValue,
        ["true"] = (value, _, _) => value is BoolValue { Value: true },
        ["false"] = (value, _, _) => value is BoolValue { Value: false },
        ["callable"] = (value, _, _) => value is FunctionValue or UndefinedValue,
        ["odd"] = (value, _, _) => Remainder(value, 2) == 1,
        ["even"] = (value, _, _) => Remainder(value, 2) == 0,
        ["divisibleby"] = (value, arguments, _) => Operators.TryInteger(arguments.Required(0, "num", "divisibleby"), out long by)
            ? Remainder(value, by) == 0 : throw new TemplateFailure("divisibleby: the divisor is no integer"),
        ["lower"] = (value, _, state) => TextMethods.IsCased(PythonText.Str(value, state.Budget), upper: false),
        ["upper"] = (value, _, state) => TextMethods.IsCased(PythonText.Str(value, state.Budget), upper: true),
        ["sameas"] = (value, arguments, _) => IsSame(value, arguments.Required(0, "other", "sameas")),
        ["escaped"] = (_, _, _) => false,
        ["filter"] = (value, _, _) => value is TextValue name && Filters.Exists(name.Text),
        ["test"] = (value, _, _) => value is TextValue name && Exists(name.Text),
        ["in"] = Comparison("in"),
        ["=="] = Comparison("=="),
        ["eq"] = Comparison("=="),
        ["equalto"] = Comparison("=="),
        ["!="] = Comparison("!="),
        ["ne"] = Comparison("!="),
        ["<"] = Comparison("<"),
        ["lt"] = Comparison("<"),
        ["lessthan"] = Comparison("<"),
        ["<="] = Comparison("<="),
        ["le"] = Comparison("<="),
        [">"] = Comparison(">"),
        ["gt"] = Comparison(">"),
        ["greaterthan"] = Comparison(">"),
        [">="] = Comparison(">="),
        ["ge"] = Comparison(">="),
    };

    /// <summary>A test; throws naming it when it is not known.</summary>
    public static Test Find(string name) => ByName.GetValueOrDefault(name)
        ?? throw new TemplateFailure($"test '{name}' is not supported; known: {string.Join(", ", ByName.Keys)}", FailureKind.Unknown);

    private static bool Exists(string name) => ByName.ContainsKey(name);

    private static Test Comparison(string op) => (value, arguments, _) => Operators.Compare(op, value, arguments.Required(0, "other", op));

    private static double Remainder(Value value, long by) => by != 0 && Operators.TryInteger(value, out long integer)
        ? Math.Abs(integer % by)
        : by != 0 && value is FloatValue real ? real.Value - by * Math.Floor(real.Value / by) : throw new TemplateFailure($"cannot divide a {value.TypeName} by {by}");

    // Python keeps one object each for None, True and False; for the rest equality is as near as a template can see.
    private static bool IsSame(Value a, Value b) => a.GetType() == b.GetType() && ValueEquality.Instance.Equals(a, b);
}
