using System.Text;

namespace MmCluster.Tokenizers.Jinja;

/// <summary>The methods of strings, lists and dictionaries. Those that change their object are refused, as Jinja's sandbox does.</summary>
internal static class Methods
{
    private static readonly string[] Changing =
    [
        "append", "clear", "pop", "popitem", "setdefault", "update", "reverse", "insert", "sort", "extend", "remove",
    ];

    /// <summary>A value's method, or null when it has none of this name.</summary>
    public static Value? Find(Value target, string name, RenderState state)
    {
        Func<Arguments, Value>? method = target switch
        {
            TextValue text => OfText(text, name, state.Budget),
            DictValue dict => OfDict(dict, name),
            ListValue list => OfList(list, name),
            _ => null,
        };
        if (method is not null)
        {
            return new FunctionValue(name, method);
        }
        return target is not TextValue && Changing.Contains(name)
            ? new UndefinedValue($"'{name}' changes a {target.TypeName}, which a template may not do") : null;
    }

    private static Func<Arguments, Value>? OfDict(DictValue dict, string name) => name switch
    {
        "items" => _ => new ListValue([.. dict.Entries.Select(entry => new ListValue([entry.Key, entry.Value], isTuple: true))]),
        "keys" => _ => new ListValue([.. dict.Entries.Select(entry => entry.Key)]),
        "values" => _ => new ListValue([.. dict.Entries.Select(entry => entry.Value)]),
        "get" => arguments => dict.TryGet(arguments.Required(0, "key", "get"), out Value found) ? found : arguments.Get(1, "default") ?? Value.None,
        "copy" => _ => dict,
        _ => null,
    };

    private static Func<Arguments, Value>? OfList(ListValue list, string name) => name switch
    {
        "copy" when !list.IsTuple => _ => list,
        "count" => arguments => Value.Of(list.Items.Count(item =>
            ValueEquality.Instance.Equals(item, arguments.Required(0, "value", "count")))),
        "index" => arguments => IndexOf(list, arguments.Required(0, "value", "index")),
        _ => null,
    };

    private static IntValue IndexOf(ListValue list, Value value)
    {
        for (int i = 0; i < list.Items.Count; i++)
        {
            if (ValueEquality.Instance.Equals(list.Items[i], value))
            {
                return Value.Of(i);
            }
        }
        throw new TemplateFailure("index: the value is not in the list");
    }

    private static Func<Arguments, Value>? OfText(TextValue text, string name, Budget budget) => name switch
    {
        "strip" => arguments => TextMethods.Strip(text, arguments.Get(0, "chars"), left: true, right: true),
        "lstrip" => arguments => TextMethods.Strip(text, arguments.Get(0, "chars"), left: true, right: false),
        "rstrip" => arguments => TextMethods.Strip(text, arguments.Get(0, "chars"), left: false, right: true),
        "split" => arguments => new ListValue(
            TextMethods.Split(text, arguments.Get(0, "sep"), Integer(arguments.Get(1, "maxsplit"), -1, name), fromRight: false)),
        "rsplit" => arguments => new ListValue(
            TextMethods.Split(text, arguments.Get(0, "sep"), Integer(arguments.Get(1, "maxsplit"), -1, name), fromRight: true)),
        "splitlines" => arguments => new ListValue(TextMethods.SplitLines(text, arguments.Get(0, "keepends")?.IsTrue == true)),
        "partition" => arguments => Partition(text, Text(arguments, 0, "sep", name), fromRight: false),
        "rpartition" => arguments => Partition(text, Text(arguments, 0, "sep", name), fromRight: true),
        "startswith" => arguments => Value.Of(AnyAffix(arguments, name, affix => text.Text.StartsWith(affix, StringComparison.Ordinal))),
        "endswith" => arguments => Value.Of(AnyAffix(arguments, name, affix => text.Text.EndsWith(affix, StringComparison.Ordinal))),
        "removeprefix" => arguments => Text(arguments, 0, "prefix", name).Text is var prefix
            && text.Text.StartsWith(prefix, StringComparison.Ordinal) ? text.Slice(prefix.Length, text.Text.Length - prefix.Length) : text,
        "removesuffix" => arguments => Text(arguments, 0, "suffix", name).Text is { Length: > 0 } suffix
            && text.Text.EndsWith(suffix, StringComparison.Ordinal) ? text.Slice(0, text.Text.Length - suffix.Length) : text,
        "replace" => arguments => TextMethods.Replace(
            text, Text(arguments, 0, "old", name), Text(arguments, 1, "new", name), Integer(arguments.Get(2, "count"), -1, name), budget),
        "find" => arguments => Value.Of(Position(text, text.Text.IndexOf(Text(arguments, 0, "sub", name).Text, StringComparison.Ordinal))),
        "rfind" => arguments => Value.Of(Position(text, text.Text.LastIndexOf(Text(arguments, 0, "sub", name).Text, StringComparison.Ordinal))),
        "index" => arguments => Position(text, text.Text.IndexOf(Text(arguments, 0, "sub", name).Text, StringComparison.Ordinal)) is >= 0 and var at
            ? Value.Of(at) : throw new TemplateFailure("substring not found"),
        "count" => arguments => Value.Of(Count(text.Text, Text(arguments, 0, "sub", name).Text)),
        "join" => arguments => Filters.Join(Access.Iterate(arguments.Required(0, "iterable", name), budget), text, budget),
        "format" => arguments => TextFormat.Braces(text, arguments, budget),
        "zfill" => arguments => TextMethods.Pad(
            text, arguments with { Positional = [arguments.Required(0, "width", name), new TextValue("0")] }, left: true, right: false, name, budget),
        "ljust" => arguments => TextMethods.Pad(text, arguments, left: false, right: true, name, budget),
        "rjust" => arguments => TextMethods.Pad(text, arguments, left: true, right: false, name, budget),
        "center" => arguments => TextMethods.Pad(text, arguments, left: true, right: true, name, budget),
        _ => OfTextCase(text, name, budget),
    };

    private static Func<Arguments, Value>? OfTextCase(TextValue text, string name, Budget budget) => name switch
    {
        "upper" => _ => TextMethods.Upper(text),
        "lower" or "casefold" => _ => TextMethods.Lower(text),
        "title" => _ => TextMethods.Title(text),
        "capitalize" => _ => TextMethods.Capitalize(text, budget),
        "isdigit" or "isdecimal" or "isnumeric" => _ => Value.Of(TextMethods.All(text, TextMethods.IsDigit)),
        "isalpha" => _ => Value.Of(TextMethods.All(text, Rune.IsLetter)),
        "isalnum" => _ => Value.Of(TextMethods.All(text, Rune.IsLetterOrDigit)),
        "isspace" => _ => Value.Of(TextMethods.All(text, rune => rune.IsBmp && TextMethods.IsSpace((char)rune.Value))),
        "isupper" => _ => Value.Of(TextMethods.IsCased(text, upper: true)),
        "islower" => _ => Value.Of(TextMethods.IsCased(text, upper: false)),
        _ => null,
    };

    private static TextValue Text(Arguments arguments, int place, string name, string method) =>
        arguments.Required(place, name, method) as TextValue
            ?? throw new TemplateFailure($"{method}: expected str, not {arguments.Required(place, name, method).TypeName}");

    private static long Integer(Value? value, long otherwise, string method) => value switch
    {
        null => otherwise,
        IntValue or BoolValue => Operators.TryInteger(value, out long integer) ? integer : otherwise,
        _ => throw new TemplateFailure($"{method}: expected int, not {value.TypeName}"),
    };

    private static bool AnyAffix(Arguments arguments, string method, Func<string, bool> matches) =>
        arguments.Required(0, "prefix", method) switch
        {
            TextValue one => matches(one.Text),
            ListValue { IsTuple: true } several => several.Items.Any(item => item is TextValue text && matches(text.Text)),
            var other => throw new TemplateFailure($"{method}: expected str, not {other.TypeName}"),
        };

    private static ListValue Partition(TextValue text, TextValue separator, bool fromRight)
    {
        if (separator.Text.Length == 0)
        {
            throw new TemplateFailure("partition: empty separator");
        }
        int at = fromRight
            ? text.Text.LastIndexOf(separator.Text, StringComparison.Ordinal) : text.Text.IndexOf(separator.Text, StringComparison.Ordinal);
        if (at < 0)
        {
            return new ListValue(fromRight ? [TextValue.Empty, TextValue.Empty, text] : [text, TextValue.Empty, TextValue.Empty], isTuple: true);
        }
        int after = at + separator.Text.Length;
        return new ListValue(
            [text.Slice(0, at), text.Slice(at, separator.Text.Length), text.Slice(after, text.Text.Length - after)], isTuple: true);
    }

    // Python counts code points.
    private static int Position(TextValue text, int unit) => unit <= 0 ? unit : Unicode.CodePoints.Count(text.Text.AsSpan(0, unit));

    private static int Count(string text, string part)
    {
        if (part.Length == 0)
        {
            return Unicode.CodePoints.Count(text) + 1;
        }
        int count = 0;
        for (int at = 0; (at = text.IndexOf(part, at, StringComparison.Ordinal)) >= 0; at += part.Length)
        {
            count++;
        }
        return count;
    }
}
