namespace MmCluster.Engine.Structured;

/// <summary>A set of Unicode scalar values as sorted, disjoint ranges. Surrogates are never part of it.</summary>
internal sealed class CharSet
{
    private const int Last = 0x10FFFF;

    private CharSet(List<(int First, int Last)> ranges) => Ranges = ranges;

    public IReadOnlyList<(int First, int Last)> Ranges { get; }

    public bool IsEmpty => Ranges.Count == 0;

    public static CharSet All { get; } = Of((0, Last));

    public static CharSet Digits { get; } = Of(('0', '9'));

    public static CharSet WordLetters { get; } = Of(('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z'));

    public static CharSet Spaces { get; } = Of(('\t', '\r'), (' ', ' '));

    public static CharSet Of(params ReadOnlySpan<(int First, int Last)> ranges)
    {
        List<(int First, int Last)> sorted = [.. ranges];
        sorted.Sort();
        List<(int First, int Last)> merged = [];
        foreach ((int first, int last) in sorted)
        {
            if (merged.Count > 0 && first <= merged[^1].Last + 1)
            {
                merged[^1] = (merged[^1].First, Math.Max(merged[^1].Last, last));
            }
            else
            {
                merged.Add((first, last));
            }
        }
        return new CharSet([.. merged.SelectMany(WithoutSurrogates)]);
    }

    public static CharSet Single(int character) => Of((character, character));

    public bool Contains(int character) => Ranges.Any(range => range.First <= character && character <= range.Last);

    public CharSet Union(CharSet other) => Of([.. Ranges, .. other.Ranges]);

    public CharSet Without(CharSet other) => other.Negate().Intersect(this);

    public CharSet Negate()
    {
        List<(int, int)> gaps = [];
        int next = 0;
        foreach ((int first, int last) in Ranges)
        {
            if (first > next)
            {
                gaps.Add((next, first - 1));
            }
            next = last + 1;
        }
        if (next <= Last)
        {
            gaps.Add((next, Last));
        }
        return Of([.. gaps]);
    }

    public CharSet Intersect(CharSet other)
    {
        List<(int, int)> both = [];
        foreach ((int first, int last) in Ranges)
        {
            foreach ((int otherFirst, int otherLast) in other.Ranges)
            {
                if (Math.Max(first, otherFirst) <= Math.Min(last, otherLast))
                {
                    both.Add((Math.Max(first, otherFirst), Math.Min(last, otherLast)));
                }
            }
        }
        return Of([.. both]);
    }

    private static IEnumerable<(int, int)> WithoutSurrogates((int First, int Last) range)
    {
        if (range.First < 0xD800)
        {
            yield return (range.First, Math.Min(range.Last, 0xD7FF));
        }
        if (range.Last > 0xDFFF)
        {
            yield return (Math.Max(range.First, 0xE000), range.Last);
        }
    }
}
