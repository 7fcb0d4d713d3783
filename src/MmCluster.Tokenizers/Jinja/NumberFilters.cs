using System.Globalization;

namespace MmCluster.Tokenizers.Jinja;

/// <summary>The filters about numbers.</summary>
internal static class NumberFilters
{
    public static Value Abs(Value value) => value switch
    {
        IntValue { Value: > long.MinValue } integer => Value.Of(Math.Abs(integer.Value)),
        BoolValue boolean => Value.Of(boolean.Value ? 1 : 0),
        FloatValue number => new FloatValue(Math.Abs(number.Value)),
        _ => throw new TemplateFailure($"bad operand type for abs(): '{value.TypeName}'"),
    };

    public static Value ToInteger(Value value, Arguments arguments)
    {
        arguments.Allow("int", "default", "base");
        if (arguments.Get(1, "base") is { } radix && !(Operators.TryInteger(radix, out long given) && given == 10))
        {
            throw new TemplateFailure("int: only base 10 is supported", FailureKind.Unknown);
        }
        Value otherwise = arguments.Get(0, "default") ?? Value.Of(0);
        if (Operators.TryInteger(value, out long whole))
        {
            return Value.Of(whole);
        }
        if (value is TextValue text && long.TryParse(
            text.Text.Trim().Replace("_", "", StringComparison.Ordinal), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long parsed))
        {
            return Value.Of(parsed);
        }
        return TryFloat(value, out double number) && Math.Abs(number) < 9e18 ? Value.Of((long)Math.Truncate(number)) : otherwise;
    }

    public static Value ToFloat(Value value, Arguments arguments)
    {
        arguments.Allow("float", "default");
        return TryFloat(value, out double number) ? new FloatValue(number) : arguments.Get(0, "default") ?? new FloatValue(0);
    }

    /// <summary>round(): half to even, on the exact binary value.</summary>
    public static Value Round(Value value, Arguments arguments)
    {
        arguments.Allow("round", "precision", "method");
        string method = arguments.Get(1, "method") is TextValue text ? text.Text : "common";
        if (!Operators.TryNumber(value, out double number)
            || !Operators.TryInteger(arguments.Get(0, "precision") ?? Value.Of(0), out long digits) || digits is < 0 or > 15)
        {
            throw new TemplateFailure($"round: not a number, or a precision outside 0..15");
        }
        double scale = Math.Pow(10, digits);
        switch (method)
        {
            case "ceil":
                return new FloatValue(Math.Ceiling(number * scale) / scale);
            case "floor":
                return new FloatValue(Math.Floor(number * scale) / scale);
            case "common" when value is IntValue or BoolValue:
                Operators.TryInteger(value, out long integer);
                return Value.Of(integer);
            case "common":
                return new FloatValue(RoundHalfEven(number, (int)digits, scale));
            default:
                throw new TemplateFailure($"round: method '{method}' must be common, ceil or floor");
        }
    }

    private static double RoundHalfEven(double number, int digits, double scale)
    {
        double scaled = number * scale;
        bool tie = number * Math.Pow(2, digits + 1) % 1 == 0 && Math.Abs(scaled % 1) == 0.5;
        if (tie || digits == 0)
        {
            return Math.Round(scaled, MidpointRounding.ToEven) / scale;
        }
        // Formatting works on the exact binary value, as Python's round does.
        string text = number.ToString("F" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        return double.Parse(text, CultureInfo.InvariantCulture);
    }

    private static bool TryFloat(Value value, out double number)
    {
        if (value is UndefinedValue undefined)
        {
            throw undefined.Fail();
        }
        if (value is TextValue text)
        {
            return double.TryParse(text.Text.Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out number);
        }
        return Operators.TryNumber(value, out number);
    }
}
