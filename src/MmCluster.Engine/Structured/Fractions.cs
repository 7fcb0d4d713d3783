namespace MmCluster.Engine.Structured;

/// <summary>
/// What may follow a number's whole part: nothing, or a point and up to <paramref name="most"/> digits, compared with a bound's digits (without zeros at
/// their end; none is 0). Null where nothing fits.
/// </summary>
internal sealed class Fractions(int most)
{
    private static readonly Pattern Digit = new Pattern.Char(CharSet.Digits);

    /// <summary>Any fraction or none.</summary>
    public Pattern Any => Pattern.Maybe(Pattern.Then(Letter('.'), new Pattern.Repeat(Digit, 1, most)));

    /// <summary>A digit of a range of characters.</summary>
    public static Pattern.Char Range(int first, int last) => new(CharSet.Of((first, last)));

    public Pattern? AtLeast(string low, bool excluded) => Written(low.Length == 0 && !excluded, From(low, excluded, most, first: true));

    public Pattern? AtMost(string high, bool excluded) => Written(high.Length > 0 || !excluded, UpTo(high, excluded, most, first: true));

    public Pattern? Between(string low, bool lowExcluded, string high, bool highExcluded) => Written(
        low.Length == 0 && !lowExcluded && (high.Length > 0 || !highExcluded), Inside(low, lowExcluded, high, highExcluded, most, first: true));

    private static Pattern? Written(bool mayBeNone, Pattern? digits) =>
        digits is null ? (mayBeNone ? Pattern.Empty : null)
        : mayBeNone ? Pattern.Maybe(Pattern.Then(Letter('.'), digits))
        : Pattern.Then(Letter('.'), digits);

    // Digits not below a bound's. The first position is never left empty; behind it, what is left out is zeros.
    private static Pattern? From(string low, bool excluded, int left, bool first)
    {
        if (left == 0)
        {
            return low.Length == 0 && !excluded && !first ? Pattern.Empty : null;
        }
        if (low.Length == 0)
        {
            return !excluded ? new Pattern.Repeat(Digit, first ? 1 : 0, left)
                : Pattern.Either(Enumerable.Range(0, left).Select(zeros => Pattern.Then(
                    Zeros(zeros, zeros), Range('1', '9'), new Pattern.Repeat(Digit, 0, left - zeros - 1))));
        }
        return Either(
            Behind(low[0], From(low[1..], excluded, left - 1, first: false)),
            low[0] < '9' ? Pattern.Then(Range(low[0] + 1, '9'), new Pattern.Repeat(Digit, 0, left - 1)) : null);
    }

    private static Pattern? UpTo(string high, bool excluded, int left, bool first)
    {
        if (high.Length == 0)
        {
            return excluded || (first && left == 0) ? null : Zeros(first ? 1 : 0, left);
        }
        if (left == 0)
        {
            return first ? null : Pattern.Empty;
        }
        return Either(
            first ? null : Pattern.Empty,
            high[0] > '0' ? Pattern.Then(Range('0', high[0] - 1), new Pattern.Repeat(Digit, 0, left - 1)) : null,
            Behind(high[0], UpTo(high[1..], excluded, left - 1, first: false)));
    }

    private static Pattern? Inside(string low, bool lowExcluded, string high, bool highExcluded, int left, bool first)
    {
        if (low.Length == 0 && !lowExcluded)
        {
            return UpTo(high, highExcluded, left, first);
        }
        if (high.Length == 0 || left == 0)
        {
            return null;
        }
        char from = low.Length > 0 ? low[0] : '0';
        string rest = low.Length > 0 ? low[1..] : "";
        return from == high[0] ? Behind(from, Inside(rest, lowExcluded, high[1..], highExcluded, left - 1, first: false))
            : from > high[0] ? null
            : Either(
                Behind(from, From(rest, lowExcluded, left - 1, first: false)),
                high[0] - from > 1 ? Pattern.Then(Range(from + 1, high[0] - 1), new Pattern.Repeat(Digit, 0, left - 1)) : null,
                Behind(high[0], UpTo(high[1..], highExcluded, left - 1, first: false)));
    }

    private static Pattern.Choice? Either(params ReadOnlySpan<Pattern?> options)
    {
        List<Pattern> kept = [];
        foreach (Pattern? option in options)
        {
            if (option is not null)
            {
                kept.Add(option);
            }
        }
        return kept.Count > 0 ? new Pattern.Choice(kept) : null;
    }

    private static Pattern.Sequence? Behind(char digit, Pattern? rest) => rest is null ? null : new Pattern.Sequence([Letter(digit), rest]);

    private static Pattern.Repeat Zeros(int least, int most) => new(Letter('0'), least, most);

    private static Pattern.Char Letter(char letter) => new(CharSet.Single(letter));
}
