namespace MmCluster.Tokenizers.Patterns;

/// <summary>How a repetition gives characters back.</summary>
internal enum Greed
{
    Greedy,
    Lazy,
    Possessive,
}

/// <summary>What a position must be to match.</summary>
internal enum Anchor
{
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    TextEndOrNewline,
    WordBoundary,
    NotWordBoundary,
}

/// <summary>A parsed regular expression.</summary>
internal abstract record PatternNode
{
    /// <summary>One code point of a set.</summary>
    public sealed record Set(CharSet Chars) : PatternNode;

    /// <summary>One after the other.</summary>
    public sealed record Sequence(IReadOnlyList<PatternNode> Items) : PatternNode;

    /// <summary>The first that matches.</summary>
    public sealed record Choice(IReadOnlyList<PatternNode> Options) : PatternNode;

    /// <summary>Between <paramref name="Min"/> and <paramref name="Max"/> times; Max is int.MaxValue for no limit.</summary>
    public sealed record Repeat(PatternNode Body, int Min, int Max, Greed Greed) : PatternNode;

    /// <summary>A look-ahead or look-behind.</summary>
    public sealed record Look(PatternNode Body, bool Behind, bool Negative) : PatternNode;

    /// <summary>A group that keeps its first way to match.</summary>
    public sealed record Atomic(PatternNode Body) : PatternNode;

    /// <summary>A condition on the position.</summary>
    public sealed record At(Anchor Anchor) : PatternNode;

    /// <summary>Whether this can match without taking a character.</summary>
    public bool CanBeEmpty => this switch
    {
        Set => false,
        Sequence sequence => sequence.Items.All(item => item.CanBeEmpty),
        Choice choice => choice.Options.Any(option => option.CanBeEmpty),
        Repeat repeat => repeat.Min == 0 || repeat.Body.CanBeEmpty,
        Atomic atomic => atomic.Body.CanBeEmpty,
        _ => true,
    };

    /// <summary>How many code points this matches when it is always the same number, else null.</summary>
    public int? FixedLength => this switch
    {
        Set => 1,
        Sequence sequence => Sum(sequence.Items),
        Choice choice => choice.Options.Select(option => option.FixedLength).Distinct().ToArray() is [var only] ? only : null,
        Repeat repeat => repeat.Min == repeat.Max && repeat.Body.FixedLength is { } length ? length * repeat.Min : null,
        Atomic atomic => atomic.Body.FixedLength,
        _ => 0,
    };

    private static int? Sum(IReadOnlyList<PatternNode> items)
    {
        int sum = 0;
        foreach (PatternNode item in items)
        {
            if (item.FixedLength is not { } length)
            {
                return null;
            }
            sum += length;
        }
        return sum;
    }
}
