using MmCluster.Cluster.Wire;

namespace MmCluster.Cluster.Routing;

/// <summary>Which replica is likely to have something already: the one with the highest rank, so that one more or one less moves few.</summary>
internal static class Affinity
{
    // Conversations that share a longer beginning than this meet anyway.
    private const int MostTokens = 256;

    /// <summary>A number for the beginning of a prompt.</summary>
    public static ulong Of(PromptPart[] prompt)
    {
        ulong hash = 0xCBF29CE484222325;
        int left = MostTokens;
        foreach (ref readonly PromptPart part in prompt.AsSpan())
        {
            if (left <= 0)
            {
                break;
            }
            if (part.Tokens is { } tokens)
            {
                ReadOnlySpan<int> some = tokens.AsSpan(0, Math.Min(left, tokens.Length));
                foreach (int token in some)
                {
                    hash = Mix(hash, (ulong)token);
                }
                left -= some.Length;
            }
            else
            {
                hash = Mix(hash, (ulong)part.MediaKey);
                left -= part.MediaLength;
            }
        }
        return hash;
    }

    /// <summary>The rank of a replica for something (rendezvous hashing).</summary>
    public static ulong Rank(ulong what, string replica)
    {
        ulong hash = what;
        foreach (char letter in replica)
        {
            hash = Mix(hash, letter);
        }
        return hash;
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
