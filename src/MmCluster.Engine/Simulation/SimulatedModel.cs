namespace MmCluster.Engine.Simulation;

/// <summary>
/// A language model that is a hash: the next token is a function of every token and media item before it, so that any mistake in blocks, caching,
/// preemption or replay changes the output.
/// </summary>
internal static class SimulatedModel
{
    /// <summary>State before the first position.</summary>
    public static ulong Start(string? adapter)
    {
        ulong state = 0x9E3779B97F4A7C15;
        foreach (char letter in adapter ?? "")
        {
            state = Mix(state, letter);
        }
        return state;
    }

    /// <summary>What a position holds, as a number: <paramref name="token"/>, or <paramref name="media"/> in its place.</summary>
    public static ulong Input(int token, ulong? media) => media is { } item ? item ^ 0x5DEECE66D : (ulong)token;

    /// <summary>State behind a position that holds <paramref name="input"/>.</summary>
    public static ulong Next(ulong state, ulong input) => Mix(state, input);

    /// <summary>The token at output position <paramref name="position"/> behind <paramref name="state"/>.</summary>
    public static int Sample(ulong state, SamplingParameters sampling, int choice, int position, int vocabulary)
    {
        ulong draw = sampling.Temperature == 0 ? 0 : Mix(Mix(sampling.Seed, (ulong)choice), (ulong)position);
        return (int)(Mix(state, draw) % (ulong)vocabulary);
    }

    private static ulong Mix(ulong a, ulong b)
    {
        // The finalizer of SplitMix64.
        ulong x = a + (b * 0xBF58476D1CE4E5B9) + 0x94D049BB133111EB;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
}
