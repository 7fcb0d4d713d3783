namespace Orleans.Runtime;

/// <summary>Values that travel with every call made from here, to whatever is called from there.</summary>
public static class RequestContext
{
    // The dictionary is replaced, never changed: a call made before a Set keeps what it had.
    private static readonly AsyncLocal<Dictionary<string, object>?> Current = new();

    /// <summary>The keys that are set.</summary>
    public static IEnumerable<string> Keys => Current.Value?.Keys ?? Enumerable.Empty<string>();

    /// <summary>The keys with their values.</summary>
    public static IEnumerable<KeyValuePair<string, object>> Entries => Current.Value ?? Enumerable.Empty<KeyValuePair<string, object>>();

    /// <summary>The value of <paramref name="key"/>, or null.</summary>
    public static object? Get(string key) => Current.Value?.GetValueOrDefault(key);

    /// <summary>Sets <paramref name="key"/> for calls made from now on in this flow of execution. The value must be serializable.</summary>
    public static void Set(string key, object value)
    {
        ArgumentNullException.ThrowIfNull(key);
        Current.Value = Current.Value is { } values ? new Dictionary<string, object>(values) { [key] = value } : new() { [key] = value };
    }

    /// <summary>Removes <paramref name="key"/>; false where it was not set.</summary>
    public static bool Remove(string key)
    {
        if (Current.Value is not { } values || !values.ContainsKey(key))
        {
            return false;
        }
        Dictionary<string, object> rest = new(values);
        rest.Remove(key);
        Current.Value = rest.Count == 0 ? null : rest;
        return true;
    }

    /// <summary>Removes all keys.</summary>
    public static void Clear() => Current.Value = null;

    internal static Dictionary<string, object>? Export() => Current.Value;

    internal static void Import(Dictionary<string, object>? values)
    {
        if (!ReferenceEquals(Current.Value, values))
        {
            Current.Value = values;
        }
    }
}
