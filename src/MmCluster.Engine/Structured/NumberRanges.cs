using System.Globalization;

namespace MmCluster.Engine.Structured;

/// <summary>
/// JSON numbers between two bounds as patterns: a number's text is compared with a bound's digit by digit, from the left. Bounds clip to the digits that a
/// double holds, so that a text and what a reader makes of it lie on the same side of a bound.
/// </summary>
internal static class NumberRanges
{
    private const int MaxDigits = 15;
    private const decimal Largest = 999_999_999_999_999_999m;
    private const decimal LargestFraction = 1_000_000_000_000_000m;
    private const decimal Middle = 100_000_000m;

    private static readonly Pattern Digit = new Pattern.Char(CharSet.Digits);

    /// <summary>Whole numbers from <paramref name="least"/> to <paramref name="most"/>, both included, of 18 digits at most; null where there are none.</summary>
    public static Pattern? Integers(decimal? least, decimal? most)
    {
        decimal low = decimal.Ceiling(Math.Max(least ?? -Largest, -Largest));
        decimal high = decimal.Floor(Math.Min(most ?? Largest, Largest));
        List<Pattern> options = [];
        if (high >= 0 && high >= low)
        {
            options.Add(Whole(Math.Max(low, 0), high));
        }
        if (low < 0 && high >= low)
        {
            options.Add(Pattern.Then(Letter('-'), Whole(Math.Max(-high, 1), -low)));
        }
        return options.Count > 0 ? Pattern.Either(options) : null;
    }

    /// <summary>Numbers without exponent between two bounds, each of which belongs to them or not; null where there are none.</summary>
    public static Pattern? Numbers(Bound? least, Bound? most)
    {
        // Without a bound large numbers are a range of their own, so that the small ones keep their digits behind the point.
        if (most is null && !(least?.Value >= Middle))
        {
            return Either(Numbers(least, new Bound(Middle, Excluded: true)), Positive(new Bound(Middle, Excluded: false), new Bound(LargestFraction, Excluded: true)));
        }
        if (least is null && !(most?.Value <= -Middle))
        {
            Pattern? far = Positive(new Bound(Middle, Excluded: false), new Bound(LargestFraction, Excluded: true));
            return Either(Numbers(new Bound(-Middle, Excluded: true), most), far is null ? null : Pattern.Then(Letter('-'), far));
        }
        Bound low = Clip(least ?? new Bound(-LargestFraction, Excluded: true), up: true);
        Bound high = Clip(most ?? new Bound(LargestFraction, Excluded: true), up: false);
        var zero = new Bound(0, Excluded: false);
        List<Pattern> options = [];
        if (high.Value >= 0 && Positive(low.Value < 0 ? zero : low, high) is { } positive)
        {
            options.Add(positive);
        }
        if (low.Value < 0 && Positive(high.Value < 0 ? high.Negate() : zero with { Excluded = true }, low.Negate()) is { } negative)
        {
            options.Add(Pattern.Then(Letter('-'), negative));
        }
        return options.Count > 0 ? Pattern.Either(options) : null;
    }

    // To the range and the digits that are used, always into the range of what is allowed.
    private static Bound Clip(Bound bound, bool up)
    {
        if (Math.Abs(bound.Value) >= LargestFraction)
        {
            bool none = up == bound.Value > 0;
            return none ? bound : new Bound(Math.Sign(bound.Value) * LargestFraction, Excluded: true);
        }
        decimal scale = Power(FractionDigits(bound.Value));
        decimal scaled = bound.Value * scale;
        decimal cut = (up ? decimal.Ceiling(scaled) : decimal.Floor(scaled)) / scale;
        return cut == bound.Value ? bound : new Bound(cut, Excluded: false);
    }

    private static Pattern? Positive(Bound low, Bound high)
    {
        if (low.Value > high.Value || high.Value > LargestFraction)
        {
            return null;
        }
        int digits = Math.Min(FractionDigits(low.Value), FractionDigits(high.Value));
        (decimal first, string lowRest) = Split(low.Value);
        (decimal last, string highRest) = Split(high.Value);
        var fractions = new Fractions(digits);
        if (first == last)
        {
            return Behind(first, fractions.Between(lowRest, low.Excluded, highRest, high.Excluded));
        }
        List<Pattern?> options =
        [
            Behind(first, fractions.AtLeast(lowRest, low.Excluded)),
            last - first > 1 ? Pattern.Then(Whole(first + 1, last - 1), fractions.Any) : null,
            Behind(last, fractions.AtMost(highRest, high.Excluded)),
        ];
        return Pattern.Either(options.OfType<Pattern>());
    }

    private static Pattern.Sequence? Behind(decimal whole, Pattern? fraction) =>
        fraction is null ? null : new Pattern.Sequence([Pattern.Text(Text(whole)), fraction]);

    private static (decimal Whole, string Fraction) Split(decimal value)
    {
        decimal whole = decimal.Truncate(value);
        string rest = (value - whole).ToString("F28", CultureInfo.InvariantCulture)[2..].TrimEnd('0');
        return (whole, rest);
    }

    private static int FractionDigits(decimal value) => Math.Max(1, MaxDigits - Text(decimal.Truncate(Math.Abs(value))).Length);

    private static decimal Power(int digits) => (decimal)Math.Pow(10, digits);

    private static string Text(decimal whole) => whole.ToString("F0", CultureInfo.InvariantCulture);

    // Whole numbers of at least 0, without leading zeros: one length after the other.
    private static Pattern Whole(decimal low, decimal high)
    {
        List<Pattern> options = [];
        (string from, string to) = (Text(low), Text(high));
        for (int length = from.Length; length <= to.Length; length++)
        {
            string first = length == from.Length ? from : "1" + new string('0', length - 1);
            string last = length == to.Length ? to : new string('9', length);
            options.Add(SameLength(first, last));
        }
        return Pattern.Either(options);
    }

    private static Pattern SameLength(ReadOnlySpan<char> low, ReadOnlySpan<char> high)
    {
        if (!low.ContainsAnyExcept('0') && !high.ContainsAnyExcept('9'))
        {
            return new Pattern.Repeat(Digit, low.Length, low.Length);
        }
        if (low[0] == high[0])
        {
            return Pattern.Then(Letter(low[0]), SameLength(low[1..], high[1..]));
        }
        string zeros = new('0', low.Length - 1), nines = new('9', low.Length - 1);
        List<Pattern> options =
        [
            Pattern.Then(Letter(low[0]), SameLength(low[1..], nines)),
            Pattern.Then(Letter(high[0]), SameLength(zeros, high[1..])),
        ];
        if (high[0] - low[0] > 1)
        {
            options.Add(Pattern.Then(Fractions.Range(low[0] + 1, high[0] - 1), SameLength(zeros, nines)));
        }
        return Pattern.Either(options);
    }

    private static Pattern? Either(Pattern? one, Pattern? other) =>
        one is null ? other : other is null ? one : Pattern.Either(one, other);

    private static Pattern.Char Letter(char letter) => new(CharSet.Single(letter));
}

/// <summary>An end of a range of numbers.</summary>
/// <param name="Value">Where it lies.</param>
/// <param name="Excluded">Whether the value itself is outside.</param>
internal readonly record struct Bound(decimal Value, bool Excluded)
{
    public Bound Negate() => this with { Value = -Value };
}
