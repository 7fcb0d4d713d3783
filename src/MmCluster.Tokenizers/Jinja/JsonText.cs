using System.Globalization;

namespace MmCluster.Tokenizers.Jinja;

/// <summary>json.dumps with ensure_ascii off, as chat templates' tojson is defined.</summary>
internal sealed class JsonText(Budget budget, string? indent, string itemSeparator, string keySeparator, bool sortKeys, bool ascii)
{
    private const int MaxDepth = 64;

    private readonly TextValue.Builder _text = new(budget);

    /// <summary>The tojson filter.</summary>
    public static Value ToJson(Value value, Arguments arguments, RenderState state)
    {
        // The order is that of transformers' tojson; Jinja's own has indent first. Published templates name it.
        arguments.Allow("tojson", "ensure_ascii", "indent", "separators", "sort_keys");
        string? indent = arguments.Get(1, "indent") switch
        {
            null or NoneValue => null,
            IntValue spaces => new string(' ', (int)Math.Clamp(spaces.Value, 0, 100)),
            TextValue text => text.Text,
            var other => throw new TemplateFailure($"tojson: indent is a {other.TypeName}"),
        };
        if (arguments.Positional.Concat(arguments.Named.Values).Any(argument => argument is TextValue { AnyUntrusted: true }
            or ListValue { Items: [TextValue { AnyUntrusted: true }, ..] or [_, TextValue { AnyUntrusted: true }] }))
        {
            throw new TemplateFailure("tojson: its arguments must not come from a message");
        }
        string item = indent is null ? ", " : ",";
        string key = ": ";
        if (arguments.Get(2, "separators") is ListValue { Items: [TextValue first, TextValue second] })
        {
            (item, key) = (first.Text, second.Text);
        }
        bool sort = arguments.Get(3, "sort_keys")?.IsTrue == true;
        bool ascii = arguments.Get(0, "ensure_ascii")?.IsTrue == true;
        var writer = new JsonText(state.Budget, indent, item, key, sort, ascii);
        writer.Write(value, 0);
        return writer._text.Build();
    }

    private void Write(Value value, int depth)
    {
        budget.Step();
        if (depth > MaxDepth)
        {
            throw new TemplateFailure("tojson: values are nested too deeply");
        }
        switch (value)
        {
            case NoneValue:
                _text.Append("null");
                break;
            case BoolValue boolean:
                _text.Append(boolean.Value ? "true" : "false");
                break;
            case IntValue integer:
                _text.Append(integer.Value.ToString(CultureInfo.InvariantCulture));
                break;
            case FloatValue number:
                _text.Append(Number(number.Value));
                break;
            case TextValue text:
                WriteText(text);
                break;
            case ListValue list:
                WriteMembers('[', ']', list.Items, item => Write(item, depth + 1), depth);
                break;
            case DictValue dict:
                WriteMembers('{', '}', Sorted(dict), entry => WriteEntry(entry, depth + 1), depth);
                break;
            default:
                throw new TemplateFailure($"Object of type {value.TypeName} is not JSON serializable");
        }
    }

    private IReadOnlyList<KeyValuePair<Value, Value>> Sorted(DictValue dict) => sortKeys
        ? Operators.Sort(dict.Entries, entry => entry.Key, reverse: false)
        : dict.Entries;

    private void WriteMembers<T>(char open, char close, IReadOnlyList<T> members, Action<T> write, int depth)
    {
        _text.Append([open]);
        for (int i = 0; i < members.Count; i++)
        {
            _text.Append(i == 0 ? "" : itemSeparator);
            NewLine(depth + 1);
            write(members[i]);
        }
        if (members.Count > 0)
        {
            NewLine(depth);
        }
        _text.Append([close]);
    }

    private void NewLine(int depth)
    {
        if (indent is null)
        {
            return;
        }
        _text.Append("\n");
        for (int i = 0; i < depth; i++)
        {
            _text.Append(indent);
        }
    }

    private void WriteEntry(KeyValuePair<Value, Value> entry, int depth)
    {
        WriteText(entry.Key switch
        {
            TextValue text => text,
            BoolValue boolean => new TextValue(boolean.Value ? "true" : "false"),
            NoneValue => new TextValue("null"),
            IntValue integer => new TextValue(integer.Value.ToString(CultureInfo.InvariantCulture)),
            FloatValue number => new TextValue(Number(number.Value)),
            var other => throw new TemplateFailure($"keys must be str, int, float, bool or None, not {other.TypeName}"),
        });
        _text.Append(keySeparator);
        Write(entry.Value, depth);
    }

    private void WriteText(TextValue value)
    {
        _text.Append("\"");
        int plain = 0;
        for (int i = 0; i < value.Text.Length; i++)
        {
            if (Escape(value.Text[i]) is not { } escape)
            {
                continue;
            }
            _text.Append(value, plain, i - plain).Append(escape, value.IsUntrusted(i));
            plain = i + 1;
        }
        _text.Append(value, plain, value.Text.Length - plain).Append("\"");
    }

    private string? Escape(char c) => c switch
    {
        '"' => "\\\"",
        '\\' => @"\\",
        '\n' => @"\n",
        '\r' => @"\r",
        '\t' => @"\t",
        '\f' => @"\f",
        '\b' => @"\b",
        < ' ' => $"\\u{(int)c:x4}",
        > '~' when ascii => $"\\u{(int)c:x4}",
        _ => null,
    };

    private static string Number(double value) => double.IsNaN(value) ? "NaN"
        : double.IsInfinity(value) ? (value > 0 ? "Infinity" : "-Infinity")
        : PythonText.Float(value);
}
