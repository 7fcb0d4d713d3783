namespace MmCluster.Tokenizers.Jinja;

/// <summary>A value as Python would hold it. Lists and dictionaries are not changed once a template can see them.</summary>
internal abstract class Value
{
    public static readonly NoneValue None = new();
    public static readonly BoolValue True = new(true);
    public static readonly BoolValue False = new(false);

    /// <summary>Python's name of the type, for errors.</summary>
    public abstract string TypeName { get; }

    /// <summary>Python's truth.</summary>
    public virtual bool IsTrue => true;

    public static BoolValue Of(bool value) => value ? True : False;

    public static IntValue Of(long value) => new(value);
}

/// <summary>Python's None.</summary>
internal sealed class NoneValue : Value
{
    public override string TypeName => "NoneType";
    public override bool IsTrue => false;
}

/// <summary>True or False.</summary>
internal sealed class BoolValue(bool value) : Value
{
    public bool Value => value;
    public override string TypeName => "bool";
    public override bool IsTrue => value;
}

/// <summary>An integer of 64 bits; arithmetic beyond them is an error.</summary>
internal sealed class IntValue(long value) : Value
{
    public long Value => value;
    public override string TypeName => "int";
    public override bool IsTrue => value != 0;
}

/// <summary>A floating-point number.</summary>
internal sealed class FloatValue(double value) : Value
{
    public double Value => value;
    public override string TypeName => "float";
    public override bool IsTrue => value != 0;
}

/// <summary>A name, attribute or item that is not there: empty when printed, an error when looked into.</summary>
internal sealed class UndefinedValue(string what) : Value
{
    public string What => what;
    public override string TypeName => "Undefined";
    public override bool IsTrue => false;

    /// <summary>The error of using it.</summary>
    public TemplateFailure Fail() => new(what);
}

/// <summary>A list, or a tuple.</summary>
internal sealed class ListValue(IReadOnlyList<Value> items, bool isTuple = false) : Value
{
    public IReadOnlyList<Value> Items => items;
    public bool IsTuple => isTuple;
    public override string TypeName => isTuple ? "tuple" : "list";
    public override bool IsTrue => items.Count > 0;
}

/// <summary>What map, select and their like give: true whatever is in it, without a length, and empty once somebody has gone through it.</summary>
internal sealed class GeneratorValue(Func<IReadOnlyList<Value>> make) : Value
{
    private bool _isTaken;

    public override string TypeName => "generator";

    /// <summary>The items, the first time.</summary>
    public IReadOnlyList<Value> Take()
    {
        if (_isTaken)
        {
            return [];
        }
        _isTaken = true;
        return make();
    }
}

/// <summary>A dictionary in insertion order.</summary>
internal sealed class DictValue : Value
{
    private readonly Dictionary<Value, int> _index = new(ValueEquality.Instance);
    private readonly List<KeyValuePair<Value, Value>> _entries = [];

    public IReadOnlyList<KeyValuePair<Value, Value>> Entries => _entries;
    public override string TypeName => "dict";
    public override bool IsTrue => _entries.Count > 0;

    /// <summary>Sets an entry; a key that is there keeps its place.</summary>
    public void Set(Value key, Value value)
    {
        if (key is ListValue { IsTuple: false } or DictValue)
        {
            throw new TemplateFailure($"unhashable type: '{key.TypeName}'");
        }
        if (_index.TryGetValue(key, out int at))
        {
            _entries[at] = new KeyValuePair<Value, Value>(_entries[at].Key, value);
            return;
        }
        _index.Add(key, _entries.Count);
        _entries.Add(new KeyValuePair<Value, Value>(key, value));
    }

    public bool TryGet(Value key, out Value value)
    {
        bool found = key is not (ListValue { IsTuple: false } or DictValue) && _index.TryGetValue(key, out int at);
        value = found ? _entries[_index[key]].Value : None;
        return found;
    }

    public bool TryGet(string key, out Value value) => TryGet(new TextValue(key), out value);
}

/// <summary>namespace(): the one thing whose attributes a template may set.</summary>
internal sealed class NamespaceValue : Value
{
    public Dictionary<string, Value> Attributes { get; } = new(StringComparer.Ordinal);
    public override string TypeName => "Namespace";
}

/// <summary>Arguments of a call.</summary>
internal sealed record Arguments(IReadOnlyList<Value> Positional, IReadOnlyDictionary<string, Value> Named)
{
    public static readonly Arguments Empty = new([], new Dictionary<string, Value>());

    /// <summary>The argument at a place or of a name, or null.</summary>
    public Value? Get(int place, string name) =>
        place < Positional.Count ? Positional[place] : Named.GetValueOrDefault(name);

    /// <summary>The same, but it must be there.</summary>
    public Value Required(int place, string name, string function) =>
        Get(place, name) ?? throw new TemplateFailure($"{function}: argument '{name}' is missing");

    /// <summary>Checks that there are no arguments beside those named.</summary>
    public void Allow(string function, params ReadOnlySpan<string> names)
    {
        if (Positional.Count > names.Length)
        {
            throw new TemplateFailure($"{function}: {Positional.Count} arguments, at most {names.Length} are expected");
        }
        foreach (string given in Named.Keys)
        {
            if (!names.Contains(given))
            {
                throw new TemplateFailure($"{function}: unknown argument '{given}'", FailureKind.Unknown);
            }
        }
    }
}

/// <summary>Something that can be called.</summary>
internal sealed class FunctionValue(string name, Func<Arguments, Value> call) : Value
{
    public string Name => name;
    public override string TypeName => "function";

    public Value Call(Arguments arguments) => call(arguments);
}

/// <summary>An object with attributes that are worked out when asked for, such as loop.</summary>
internal sealed class ObjectValue(string typeName, Func<string, Value?> attribute) : Value
{
    public override string TypeName => typeName;

    public Value? Attribute(string name) => attribute(name);
}

/// <summary>Python's equality, which text's origin does not touch.</summary>
internal sealed class ValueEquality : IEqualityComparer<Value>
{
    private const int MaxDepth = 64;

    public static readonly ValueEquality Instance = new();

    public bool Equals(Value? x, Value? y) => AreEqual(x!, y!, 0);

    public int GetHashCode(Value value) => value switch
    {
        TextValue text => text.Text.GetHashCode(StringComparison.Ordinal),
        BoolValue boolean => (boolean.Value ? 1d : 0d).GetHashCode(),
        IntValue integer => ((double)integer.Value).GetHashCode(),
        FloatValue number => number.Value.GetHashCode(),
        ListValue list => list.Items.Count,
        _ => 0,
    };

    private static bool AreEqual(Value x, Value y, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new TemplateFailure("comparison: values are nested too deeply");
        }
        return (x, y) switch
        {
            (TextValue a, TextValue b) => a.Text == b.Text,
            (NoneValue, NoneValue) => true,
            (UndefinedValue, UndefinedValue) => true,
            (ListValue a, ListValue b) => a.IsTuple == b.IsTuple && a.Items.Count == b.Items.Count
                && a.Items.Zip(b.Items).All(pair => AreEqual(pair.First, pair.Second, depth + 1)),
            (DictValue a, DictValue b) => a.Entries.Count == b.Entries.Count
                && a.Entries.All(entry => b.TryGet(entry.Key, out Value other) && AreEqual(entry.Value, other, depth + 1)),
            (IntValue a, IntValue b) => a.Value == b.Value,
            _ when Operators.TryNumber(x, out double a) && Operators.TryNumber(y, out double b) => a == b,
            _ => ReferenceEquals(x, y),
        };
    }
}
