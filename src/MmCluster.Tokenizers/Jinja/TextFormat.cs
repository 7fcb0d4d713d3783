using System.Globalization;

namespace MmCluster.Tokenizers.Jinja;

/// <summary>Python's "%" and str.format, the plain parts.</summary>
internal static class TextFormat
{
    /// <summary>'..%s..' % values.</summary>
    public static TextValue Percent(TextValue format, IReadOnlyList<Value> values, Budget budget, bool allowUnused = false)
    {
        var text = new TextValue.Builder(budget);
        int used = 0;
        int plain = 0;
        for (int at = 0; (at = format.Text.IndexOf('%', at)) >= 0;)
        {
            text.Append(format, plain, at - plain);
            int kind = at + 1;
            int precision = -1;
            if (kind < format.Text.Length && format.Text[kind] == '.')
            {
                int digits = ++kind;
                while (kind < format.Text.Length && char.IsAsciiDigit(format.Text[kind]))
                {
                    kind++;
                }
                precision = int.TryParse(format.Text.AsSpan(digits, kind - digits), NumberStyles.None, CultureInfo.InvariantCulture, out int parsed)
                    ? Math.Min(parsed, 50) : 0;
            }
            char letter = kind < format.Text.Length ? format.Text[kind] : throw new TemplateFailure("incomplete format");
            if (letter == '%')
            {
                text.Append("%", format.IsUntrusted(kind));
            }
            else if (used < values.Count)
            {
                text.Append(One(letter, precision, values[used++], budget));
            }
            else
            {
                throw new TemplateFailure("not enough arguments for format string");
            }
            at = plain = kind + 1;
            if (at >= format.Text.Length)
            {
                break;
            }
        }
        if (used < values.Count && !allowUnused)
        {
            throw new TemplateFailure("not all arguments converted during string formatting");
        }
        return text.Append(format, plain, format.Text.Length - plain).Build();
    }

    /// <summary>'..{}..{0}..{name}..'.format(..), without format specifications.</summary>
    public static TextValue Braces(TextValue format, Arguments arguments, Budget budget)
    {
        var text = new TextValue.Builder(budget);
        int automatic = 0;
        string source = format.Text;
        for (int i = 0; i < source.Length;)
        {
            if (source[i] is '{' or '}' && i + 1 < source.Length && source[i + 1] == source[i])
            {
                text.Append(format, i, 1);
                i += 2;
                continue;
            }
            if (source[i] != '{')
            {
                text.Append(format, i, 1);
                i++;
                continue;
            }
            int close = source.IndexOf('}', i);
            string field = close < 0 ? throw new TemplateFailure("format: '{' is not closed") : source[(i + 1)..close];
            text.Append(PythonText.Str(Field(field, arguments, ref automatic), budget));
            i = close + 1;
        }
        return text.Build();
    }

    private static Value Field(string field, Arguments arguments, ref int automatic)
    {
        if (field.AsSpan().ContainsAny(":!.["))
        {
            throw new TemplateFailure($"format field '{{{field}}}' is not supported", FailureKind.Unknown);
        }
        if (field.Length == 0 || char.IsAsciiDigit(field[0]))
        {
            int place = field.Length == 0 ? automatic++
                : int.TryParse(field, NumberStyles.None, CultureInfo.InvariantCulture, out int parsed) ? parsed : int.MaxValue;
            return place < arguments.Positional.Count ? arguments.Positional[place]
                : throw new TemplateFailure($"format: no argument for '{{{field}}}'");
        }
        return arguments.Named.GetValueOrDefault(field) ?? throw new TemplateFailure($"format: no argument '{field}'");
    }

    private static TextValue One(char letter, int precision, Value value, Budget budget)
    {
        switch (letter)
        {
            case 's':
                return PythonText.Str(value, budget);
            case 'r':
                return PythonText.Repr(value, budget);
            case 'd' or 'i' when Operators.TryNumber(value, out double number):
                return new TextValue(Operators.TryInteger(value, out long integer)
                    ? integer.ToString(CultureInfo.InvariantCulture) : Math.Truncate(number).ToString("F0", CultureInfo.InvariantCulture));
            case 'f' when Operators.TryNumber(value, out double real):
                return new TextValue(real.ToString(
                    "F" + (precision < 0 ? 6 : precision).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture));
            case 'd' or 'i' or 'f':
                throw new TemplateFailure($"%{letter} format: a number is required, not {value.TypeName}");
            default:
                throw new TemplateFailure($"format '%{letter}' is not supported", FailureKind.Unknown);
        }
    }
}
