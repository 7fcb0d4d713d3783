namespace MmCluster.Engine.Speculation;

/// <summary>
/// Guesses the next tokens by looking the last few up in what was seen before (prompt lookup decoding): answers often repeat their prompt.
/// </summary>
internal static class PromptLookup
{
    /// <summary>
    /// The tokens that followed the first earlier occurrence of the longest run, between <paramref name="least"/> and <paramref name="most"/> long, that
    /// <paramref name="tokens"/> ends with; at most <paramref name="limit"/>, empty when there is none.
    /// </summary>
    public static ReadOnlySpan<int> Find(ReadOnlySpan<int> tokens, int least, int most, int limit)
    {
        for (int run = Math.Min(most, tokens.Length - 1); run >= least; run--)
        {
            int at = tokens[..^1].IndexOf(tokens[^run..]);
            if (at >= 0)
            {
                ReadOnlySpan<int> next = tokens[(at + run)..];
                return next[..Math.Min(limit, next.Length)];
            }
        }
        return [];
    }
}
