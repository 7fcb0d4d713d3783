using Orleans.Runtime.Catalog;

namespace Orleans.Runtime;

/// <summary>Which activation's turn runs on this thread.</summary>
internal static class RuntimeContext
{
    [ThreadStatic]
    private static ActivationData? _current;

    [ThreadStatic]
    private static ActivationData? _creating;

    public static ActivationData? Current
    {
        get => _current;
        set => _current = value;
    }

    /// <summary>The activation whose grain object is being made, for the constructor of <see cref="Grain"/>.</summary>
    public static ActivationData? Creating
    {
        get => _creating;
        set => _creating = value;
    }
}
