namespace MmCluster.Tokenizers.Jinja;

/// <summary>Attributes, items, slices and iteration.</summary>
internal static class Access
{
    /// <summary>x.name: a method or attribute, else an item.</summary>
    public static Value Attribute(Value target, string name, RenderState state) =>
        Member(target, name, state) is var found && found is UndefinedValue && target is DictValue dict && dict.TryGet(name, out Value item) ? item : found;

    /// <summary>A method or attribute only.</summary>
    public static Value Member(Value target, string name, RenderState state)
    {
        switch (target)
        {
            case UndefinedValue undefined:
                throw new TemplateFailure($"{undefined.What}; cannot look up '{name}' in it");
            case ObjectValue value when value.Attribute(name) is { } found:
                return found;
            case NamespaceValue value when value.Attributes.TryGetValue(name, out Value? found):
                return found;
            case TextValue or DictValue or ListValue when Methods.Find(target, name, state) is { } method:
                return method;
            default:
                return Missing(target, name);
        }
    }

    /// <summary>x[key]: an item, else an attribute.</summary>
    public static Value Item(Value target, Value key, RenderState state)
    {
        switch (target, key)
        {
            case (UndefinedValue undefined, _):
                throw new TemplateFailure($"{undefined.What}; cannot look up an item in it");
            case (DictValue dict, _) when dict.TryGet(key, out Value item):
                return item;
            case (ListValue list, IntValue or BoolValue):
                Operators.TryInteger(key, out long at);
                at += at < 0 ? list.Items.Count : 0;
                return at >= 0 && at < list.Items.Count ? list.Items[(int)at]
                    : new UndefinedValue($"'{target.TypeName} object' has no element {((at < 0) ? at - list.Items.Count : at)}");
            case (TextValue text, IntValue or BoolValue):
                Operators.TryInteger(key, out long unit);
                int length = text.Length;
                unit += unit < 0 ? length : 0;
                return unit >= 0 && unit < length ? Slice(text, unit, unit + 1, 1, state.Budget)
                    : new UndefinedValue($"'str object' has no element {unit}");
            case (_, TextValue name):
                return target is DictValue or ListValue or TextValue
                    ? Methods.Find(target, name.Text, state) ?? Missing(target, name.Text) : Attribute(target, name.Text, state);
            default:
                return new UndefinedValue($"'{target.TypeName} object' has no element {PythonText.Repr(key, state.Budget).Text}");
        }
    }

    /// <summary>x[start:stop:step] with Python's rules.</summary>
    public static Value Slice(Value target, long? start, long? stop, long step, Budget budget)
    {
        if (step == 0)
        {
            throw new TemplateFailure("slice step cannot be zero");
        }
        if (target is TextValue text)
        {
            int length = text.Length;
            if (step == 1)
            {
                (int from, int to) = (text.UnitIndex((int)Clamp(start ?? 0, length)), text.UnitIndex((int)Clamp(stop ?? length, length)));
                budget.Grow(Math.Max(0, to - from));
                return text.Slice(from, Math.Max(0, to - from));
            }
            var result = new TextValue.Builder(budget);
            IReadOnlyList<Value> characters = text.Characters();
            foreach (int index in Indices(start, stop, step, length))
            {
                result.Append((TextValue)characters[index]);
            }
            return result.Build();
        }
        if (target is ListValue list)
        {
            Value[] items = [.. Indices(start, stop, step, list.Items.Count).Select(index => list.Items[index])];
            budget.Step(items.Length);
            return new ListValue(items, list.IsTuple);
        }
        throw target is UndefinedValue undefined ? undefined.Fail() : new TemplateFailure($"'{target.TypeName}' object is not subscriptable");
    }

    /// <summary>The members of a value, as a for loop sees them.</summary>
    public static IReadOnlyList<Value> Iterate(Value value, Budget budget)
    {
        IReadOnlyList<Value> items = value switch
        {
            ListValue list => list.Items,
            GeneratorValue generator => generator.Take(),
            DictValue dict => [.. dict.Entries.Select(entry => entry.Key)],
            TextValue text => text.Characters(),
            UndefinedValue => [],
            _ => throw new TemplateFailure($"'{value.TypeName}' object is not iterable"),
        };
        budget.Step(items.Count);
        return items;
    }

    private static UndefinedValue Missing(Value target, string name) =>
        new($"'{target.TypeName} object' has no attribute '{name}'");

    private static long Clamp(long index, long length) => Math.Clamp(index < 0 ? index + length : index, 0, length);

    private static IEnumerable<int> Indices(long? start, long? stop, long step, int length)
    {
        if (step > 0)
        {
            long end = Clamp(stop ?? length, length);
            for (long i = Clamp(start ?? 0, length); i < end; i += Math.Min(step, length + 1L))
            {
                yield return (int)i;
            }
            yield break;
        }
        long last = stop is { } bound ? Math.Clamp(bound < 0 ? bound + length : bound, -1, length - 1L) : -1;
        long first = start is { } begin ? Math.Clamp(begin < 0 ? begin + length : begin, -1, length - 1L) : length - 1L;
        for (long i = first; i > last; i += Math.Max(step, -length - 1L))
        {
            yield return (int)i;
        }
    }
}
