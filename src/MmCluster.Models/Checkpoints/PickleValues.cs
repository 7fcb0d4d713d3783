namespace MmCluster.Models.Checkpoints;

/// <summary>A class or function that a pickle names; only those of <see cref="PickleGlobals"/> are let in.</summary>
internal sealed record PickleGlobal(string Module, string Name)
{
    public override string ToString() => $"{Module}.{Name}";
}

/// <summary>A storage that a pickle refers to by persistent id.</summary>
/// <param name="Type">Its element type.</param>
/// <param name="Key">Its name in the archive.</param>
/// <param name="Elements">How many elements.</param>
/// <param name="Offset">First element of the view that the pickle means (legacy files), else 0.</param>
internal sealed record PickleStorage(StoredType Type, string Key, long Elements, long Offset);

/// <summary>A tensor over a storage, sizes in elements.</summary>
internal sealed record PickleTensor(PickleStorage Storage, long Offset, long[] Shape, long[] Strides);

/// <summary>An object whose state is skipped (numpy's dtype).</summary>
internal sealed record PickleOpaque(PickleGlobal Class, object?[] Arguments);

/// <summary>A dictionary in insertion order. Keys are text or numbers.</summary>
internal sealed class PickleDictionary
{
    public List<KeyValuePair<object, object?>> Items { get; } = [];

    public void Add(object? key, object? value) => Items.Add(new(key ?? "None", value));
}

/// <summary>What a pickle may call.</summary>
internal static class PickleGlobals
{
    /// <summary>The value of calling <paramref name="function"/>.</summary>
    /// <exception cref="InvalidDataException">It is not among those that checkpoints need, or its arguments are wrong.</exception>
    public static object? Call(PickleGlobal function, object?[] arguments) => (function.Module, function.Name, arguments) switch
    {
        ("collections", "OrderedDict", []) => new PickleDictionary(),
        ("collections", "OrderedDict", [List<object?> pairs]) => FromPairs(pairs),
        ("torch", "Size", [object?[] sizes]) => sizes,
        ("torch", "device", _) => function,
        ("torch._utils", "_rebuild_tensor" or "_rebuild_tensor_v2", [PickleStorage storage, long offset, object?[] shape, object?[] strides, ..]) =>
            new PickleTensor(storage, offset, Longs(shape), Longs(strides)),
        ("torch._utils", "_rebuild_parameter", [PickleTensor data, ..]) => data,
        ("torch._utils", "_rebuild_parameter_with_state", [PickleTensor data, ..]) => data,
        ("numpy", "dtype", _) => new PickleOpaque(function, arguments),
        ("numpy.core.multiarray" or "numpy._core.multiarray", "scalar", _) => new PickleOpaque(function, arguments),
        ("_codecs", "encode", [string text, ..]) => text,
        _ => throw new InvalidDataException($"calls {function} with {arguments.Length} unexpected arguments"),
    };

    /// <summary>Refuses any name that tensors and containers do not need.</summary>
    /// <exception cref="InvalidDataException">Naming it.</exception>
    public static PickleGlobal Find(string module, string name) => (module, name) switch
    {
        ("collections", "OrderedDict") => new(module, name),
        ("torch", "Size" or "device") => new(module, name),
        ("torch", "float64" or "float32" or "float16" or "bfloat16" or "int64" or "int32" or "int16" or "int8" or "uint8" or "bool") => new(module, name),
        ("torch", _) when StoredTypes.FromTorchStorage(name) is not null => new(module, name),
        ("torch._utils", "_rebuild_tensor" or "_rebuild_tensor_v2" or "_rebuild_parameter" or "_rebuild_parameter_with_state") => new(module, name),
        ("numpy", "dtype") => new(module, name),
        ("numpy.core.multiarray" or "numpy._core.multiarray", "scalar") => new(module, name),
        ("_codecs", "encode") => new(module, name),
        _ => throw new InvalidDataException(
            $"the pickle names {Shown(module)}.{Shown(name)}, which tensors and containers do not need: refused, nothing was run"),
    };

    /// <summary>Whole numbers of a tuple.</summary>
    public static long[] Longs(object?[] values) =>
        [.. values.Select(value => value as long? ?? throw new InvalidDataException("a tensor's shape or strides hold something other than whole numbers"))];

    private static PickleDictionary FromPairs(List<object?> pairs)
    {
        PickleDictionary result = new();
        foreach (object? pair in pairs)
        {
            switch (pair)
            {
                case object?[] { Length: 2 } tuple:
                    result.Add(tuple[0], tuple[1]);
                    break;
                case List<object?> { Count: 2 } list:
                    result.Add(list[0], list[1]);
                    break;
                default:
                    throw new InvalidDataException("an OrderedDict is built from something other than pairs");
            }
        }
        return result;
    }

    private static string Shown(string name) => name.Length <= 100 ? name : name[..100] + "...";
}
