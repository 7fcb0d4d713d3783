namespace MmCluster.Tokenizers.Jinja;

/// <summary>Python's operators.</summary>
internal static class Operators
{
    /// <summary>A number as double; booleans count as 0 and 1.</summary>
    public static bool TryNumber(Value value, out double number)
    {
        number = value switch
        {
            IntValue integer => integer.Value,
            FloatValue real => real.Value,
            BoolValue boolean => boolean.Value ? 1 : 0,
            _ => double.NaN,
        };
        return value is IntValue or FloatValue or BoolValue;
    }

    /// <summary>An integer; booleans count as 0 and 1.</summary>
    public static bool TryInteger(Value value, out long integer)
    {
        integer = value switch { IntValue number => number.Value, BoolValue boolean => boolean.Value ? 1 : 0, _ => 0 };
        return value is IntValue or BoolValue;
    }

    public static Value Unary(string op, Value value)
    {
        if (value is UndefinedValue undefined)
        {
            throw undefined.Fail();
        }
        if (TryInteger(value, out long integer))
        {
            return Value.Of(op == "-" ? Checked(() => checked(-integer)) : integer);
        }
        return value is FloatValue real ? new FloatValue(op == "-" ? -real.Value : real.Value)
            : throw new TemplateFailure($"bad operand type for unary {op}: '{value.TypeName}'");
    }

    public static Value Binary(string op, Value left, Value right, Budget budget)
    {
        if ((left as UndefinedValue ?? right as UndefinedValue) is { } undefined)
        {
            throw undefined.Fail();
        }
        switch (op, left, right)
        {
            case ("+", TextValue a, TextValue b):
                return new TextValue.Builder(budget).Append(a).Append(b).Build();
            case ("+", ListValue a, ListValue b) when a.IsTuple == b.IsTuple:
                budget.Step(a.Items.Count + b.Items.Count);
                return new ListValue([.. a.Items, .. b.Items], a.IsTuple);
            case ("*", TextValue or ListValue, IntValue or BoolValue):
                return Repeat(left, right, budget);
            case ("*", IntValue or BoolValue, TextValue or ListValue):
                return Repeat(right, left, budget);
            case ("%", TextValue format, _):
                // What could be looked up by key may stay unused.
                return right is ListValue { IsTuple: true } tuple ? TextFormat.Percent(format, tuple.Items, budget)
                    : TextFormat.Percent(format, [right], budget, allowUnused: right is ListValue or DictValue);
            default:
                return Arithmetic(op, left, right);
        }
    }

    public static bool Compare(string op, Value left, Value right) => op switch
    {
        "==" => ValueEquality.Instance.Equals(left, right),
        "!=" => !ValueEquality.Instance.Equals(left, right),
        "in" => Contains(right, left),
        "not in" => !Contains(right, left),
        "<" => Order(left, right, op) < 0,
        "<=" => Order(left, right, op) is <= 0,
        ">" => Order(left, right, op) > 0,
        _ => Order(left, right, op) is >= 0,
    };

    /// <summary>Python's order of two values; throws when they have none.</summary>
    public static int Order(Value left, Value right, string op = "<")
    {
        if ((left as UndefinedValue ?? right as UndefinedValue) is { } undefined)
        {
            throw undefined.Fail();
        }
        if (TryNumber(left, out double a) && TryNumber(right, out double b))
        {
            return left is IntValue x && right is IntValue y ? x.Value.CompareTo(y.Value) : a.CompareTo(b);
        }
        if (left is TextValue first && right is TextValue second)
        {
            return CompareCodePoints(first.Text, second.Text);
        }
        if (left is ListValue one && right is ListValue other && one.IsTuple == other.IsTuple)
        {
            for (int i = 0; i < Math.Min(one.Items.Count, other.Items.Count); i++)
            {
                if (!ValueEquality.Instance.Equals(one.Items[i], other.Items[i]))
                {
                    return Order(one.Items[i], other.Items[i], op);
                }
            }
            return one.Items.Count.CompareTo(other.Items.Count);
        }
        throw new TemplateFailure($"'{op}' not supported between instances of '{left.TypeName}' and '{right.TypeName}'");
    }

    /// <summary>Sorts by Python's order, stable in both directions.</summary>
    public static List<T> Sort<T>(IReadOnlyList<T> items, Func<T, Value> key, bool reverse)
    {
        // Jinja sorts by lists of keys, in which equal ones, even undefined, are never put in order.
        var comparer = Comparer<Value>.Create((a, b) => ValueEquality.Instance.Equals(a, b) ? 0 : Order(a, b));
        try
        {
            return reverse ? [.. items.OrderByDescending(key, comparer)] : [.. items.OrderBy(key, comparer)];
        }
        catch (InvalidOperationException error) when (error.InnerException is TemplateFailure failure)
        {
            // .NET wraps what a comparer throws.
            throw new TemplateFailure(failure.Message, failure.Kind, failure.Line);
        }
    }

    private static bool Contains(Value container, Value item) => container switch
    {
        TextValue text => item is TextValue part ? text.Text.Contains(part.Text, StringComparison.Ordinal)
            : throw new TemplateFailure($"'in <string>' requires string as left operand, not {item.TypeName}"),
        ListValue list => list.Items.Any(candidate => ValueEquality.Instance.Equals(candidate, item)),
        GeneratorValue generator => generator.Take().Any(candidate => ValueEquality.Instance.Equals(candidate, item)),
        DictValue dict => dict.TryGet(item, out _),
        UndefinedValue => false,
        _ => throw new TemplateFailure($"argument of type '{container.TypeName}' is not iterable"),
    };

    // UTF-16 order is not code point order: surrogates sort below U+E000 and up.
    private static int CompareCodePoints(string a, string b)
    {
        for (int i = 0; i < Math.Min(a.Length, b.Length); i++)
        {
            if (a[i] != b[i])
            {
                bool highA = char.IsSurrogate(a[i]);
                return highA != char.IsSurrogate(b[i]) ? (highA ? 1 : -1) : a[i].CompareTo(b[i]);
            }
        }
        return a.Length.CompareTo(b.Length);
    }

    private static Value Repeat(Value value, Value times, Budget budget)
    {
        TryInteger(times, out long count);
        count = Math.Max(0, count);
        if (value is ListValue list)
        {
            budget.Step(checked((long)Math.Min(count, int.MaxValue) * list.Items.Count));
            return new ListValue([.. Enumerable.Repeat(list.Items, (int)Math.Min(count, int.MaxValue)).SelectMany(items => items)], list.IsTuple);
        }
        var text = (TextValue)value;
        if (text.Text.Length == 0)
        {
            return text;
        }
        var result = new TextValue.Builder(budget);
        for (long i = 0; i < count; i++)
        {
            budget.Step();
            result.Append(text);
        }
        return result.Build();
    }

    private static Value Arithmetic(string op, Value left, Value right)
    {
        if (!TryNumber(left, out double a) || !TryNumber(right, out double b))
        {
            throw new TemplateFailure(op == "+" && left is TextValue
                ? $"can only concatenate str (not \"{right.TypeName}\") to str"
                : $"unsupported operand type(s) for {op}: '{left.TypeName}' and '{right.TypeName}'");
        }
        if (op is "/" or "//" or "%" && b == 0)
        {
            throw new TemplateFailure("division by zero");
        }
        bool integers = TryInteger(left, out long x) & TryInteger(right, out long y);
        if (integers && !(op == "/" || (op == "**" && y < 0)))
        {
            return Value.Of(Checked(() => Integers(op, x, y)));
        }
        return new FloatValue(op switch
        {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            "/" => a / b,
            "//" => Math.Floor(a / b),
            "%" => a - b * Math.Floor(a / b),
            _ => Math.Pow(a, b),
        });
    }

    // Python rounds quotients down, and a remainder has the divisor's sign.
    private static long Integers(string op, long x, long y)
    {
        switch (op)
        {
            case "+":
                return checked(x + y);
            case "-":
                return checked(x - y);
            case "*":
                return checked(x * y);
            case "//":
                return checked(x / y) - (x % y != 0 && (x < 0) != (y < 0) ? 1 : 0);
            case "%":
                return y == -1 ? 0 : (x % y + y) % y;
            default:
                return Power(x, y);
        }
    }

    private static long Power(long x, long y)
    {
        if (x is 0 or 1 or -1)
        {
            return y == 0 || (x == -1 && y % 2 == 0) ? 1 : x;
        }
        long result = 1;
        // Any other base overflows within 64 rounds.
        for (long i = 0; i < y; i++)
        {
            result = checked(result * x);
        }
        return result;
    }

    private static long Checked(Func<long> compute)
    {
        try
        {
            return compute();
        }
        catch (OverflowException)
        {
            throw new TemplateFailure("an integer beyond 64 bits");
        }
    }
}
