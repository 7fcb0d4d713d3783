using System.Globalization;
using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Jinja;

/// <summary>Values as Python prints them.</summary>
internal static class PythonText
{
    private const int MaxDepth = 64;

    /// <summary>str(value).</summary>
    public static TextValue Str(Value value, Budget budget) => value switch
    {
        TextValue text => text,
        UndefinedValue => TextValue.Empty,
        _ => Repr(value, budget),
    };

    /// <summary>repr(value).</summary>
    public static TextValue Repr(Value value, Budget budget)
    {
        var text = new TextValue.Builder(budget);
        Write(value, text, 0);
        return text.Build();
    }

    /// <summary>repr of a float: the shortest digits that read back the same.</summary>
    public static string Float(double value)
    {
        if (double.IsNaN(value))
        {
            return "nan";
        }
        if (double.IsInfinity(value))
        {
            return value > 0 ? "inf" : "-inf";
        }
        string text = value.ToString("R", CultureInfo.InvariantCulture);
        double size = Math.Abs(value);
        if (size != 0 && (size < 1e-4 || size >= 1e16))
        {
            return WithExponent(value);
        }
        if (text.Contains('E'))
        {
            text = value.ToString("0." + new string('#', 30), CultureInfo.InvariantCulture);
        }
        return text.Contains('.') ? text : text + ".0";
    }

    private static string WithExponent(double value)
    {
        string text = value.ToString("E16", CultureInfo.InvariantCulture);
        // The fewest digits that keep the value, in Python's form of the exponent: at least two digits.
        for (int digits = 0; digits < 17; digits++)
        {
            string candidate = value.ToString("E" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
            if (double.Parse(candidate, CultureInfo.InvariantCulture) == value)
            {
                text = candidate;
                break;
            }
        }
        int at = text.IndexOf('E', StringComparison.Ordinal);
        string exponent = text[(at + 2)..].TrimStart('0').PadLeft(2, '0');
        return $"{text[..at]}e{text[at + 1]}{exponent}";
    }

    private static void Write(Value value, TextValue.Builder text, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new TemplateFailure("print: values are nested too deeply");
        }
        switch (value)
        {
            case TextValue item:
                WriteQuoted(item, text);
                break;
            case NoneValue:
                text.Append("None");
                break;
            case BoolValue boolean:
                text.Append(boolean.Value ? "True" : "False");
                break;
            case IntValue integer:
                text.Append(integer.Value.ToString(CultureInfo.InvariantCulture));
                break;
            case FloatValue number:
                text.Append(Float(number.Value));
                break;
            case ListValue list:
                WriteList(list, text, depth);
                break;
            case DictValue dict:
                text.Append("{");
                foreach ((int index, KeyValuePair<Value, Value> entry) in dict.Entries.Index())
                {
                    text.Append(index == 0 ? "" : ", ");
                    Write(entry.Key, text, depth + 1);
                    text.Append(": ");
                    Write(entry.Value, text, depth + 1);
                }
                text.Append("}");
                break;
            case UndefinedValue:
                text.Append("Undefined");
                break;
            default:
                throw new TemplateFailure($"a {value.TypeName} cannot be printed");
        }
    }

    private static void WriteList(ListValue list, TextValue.Builder text, int depth)
    {
        text.Append(list.IsTuple ? "(" : "[");
        for (int i = 0; i < list.Items.Count; i++)
        {
            text.Append(i == 0 ? "" : ", ");
            Write(list.Items[i], text, depth + 1);
        }
        text.Append(list.IsTuple ? (list.Items.Count == 1 ? ",)" : ")") : "]");
    }

    private static void WriteQuoted(TextValue value, TextValue.Builder text)
    {
        char quote = value.Text.Contains('\'') && !value.Text.Contains('"') ? '"' : '\'';
        text.Append([quote]);
        for (int i = 0; i < value.Text.Length;)
        {
            int codePoint = CodePoints.At(value.Text, i, out int length);
            string? escape = codePoint switch
            {
                '\\' => @"\\",
                '\n' => @"\n",
                '\r' => @"\r",
                '\t' => @"\t",
                _ when codePoint == quote => "\\" + quote,
                _ when IsPrintable(codePoint) => null,
                <= 0xFF => $"\\x{codePoint:x2}",
                <= 0xFFFF => $"\\u{codePoint:x4}",
                _ => $"\\U{codePoint:x8}",
            };
            if (escape is null)
            {
                text.Append(value, i, length);
            }
            else
            {
                text.Append(escape, value.IsUntrusted(i));
            }
            i += length;
        }
        text.Append([quote]);
    }

    private static bool IsPrintable(int codePoint) =>
        codePoint == ' ' || !Categories.Is(codePoint, Categories.Other | Categories.Separator);
}
