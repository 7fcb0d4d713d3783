namespace Orleans.Serialization;

/// <summary>How deep objects may stand in each other. Writing, reading and copying recurse, and a stack that overflows ends the process.</summary>
internal static class Nesting
{
    /// <summary>Deeper than any message of ours, shallow enough for the stack of a pool thread (1.5 MiB).</summary>
    public const int Max = 500;

    /// <exception cref="InvalidDataException">It is too deep.</exception>
    public static void Enter(ref int depth)
    {
        if (++depth > Max)
        {
            throw new InvalidDataException($"objects are nested deeper than {Max}: send them flat, in a list for example");
        }
    }
}
