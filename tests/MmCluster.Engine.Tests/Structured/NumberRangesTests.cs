using System.Globalization;
using System.Text;
using MmCluster.Engine.Structured;

namespace MmCluster.Engine.Tests.Structured;

public sealed class NumberRangesTests
{
    [Fact]
    public void Whole_numbers_pass_exactly_where_they_lie_between_the_bounds()
    {
        Random random = new(1);
        for (int round = 0; round < 200; round++)
        {
            int reach = random.Next(2) == 0 ? 30 : 1200;
            (int one, int other) = (random.Next(-reach, reach), random.Next(-reach, reach));
            (decimal? least, decimal? most) = (random.Next(4) == 0 ? null : Math.Min(one, other), random.Next(4) == 0 ? null : Math.Max(one, other));
            Automaton automaton = new(NumberRanges.Integers(least, most)!);
            for (int value = -reach - 5; value <= reach + 5; value++)
            {
                bool inside = !(value < least) && !(value > most);
                Assert.True(inside == Matches(automaton, value.ToString(CultureInfo.InvariantCulture)), $"{value} between {least} and {most}");
            }
            Assert.False(Matches(automaton, "007") || Matches(automaton, "-0") || Matches(automaton, "") || Matches(automaton, "1.0"));
        }
    }

    [Fact]
    public void Numbers_pass_exactly_where_they_lie_between_the_bounds()
    {
        Random random = new(2);
        for (int round = 0; round < 300; round++)
        {
            (decimal one, decimal other) = (Draw(random), Draw(random));
            Bound? least = random.Next(4) == 0 ? null : new Bound(Math.Min(one, other), random.Next(2) == 0);
            Bound? most = random.Next(4) == 0 ? null : new Bound(Math.Max(one, other), random.Next(2) == 0);
            Pattern? pattern = NumberRanges.Numbers(least, most);
            Automaton? automaton = pattern is null ? null : new Automaton(pattern);
            foreach (decimal value in Enumerable.Range(0, 200).Select(_ => Draw(random)).Concat([one, other, one + 0.001m, one - 0.001m, 0]))
            {
                bool inside = (least is not { } low || value > low.Value || (value == low.Value && !low.Excluded))
                    && (most is not { } high || value < high.Value || (value == high.Value && !high.Excluded));
                foreach (string format in new[] { "0.####", "0.0###", "0.00000" })
                {
                    string text = value.ToString(format, CultureInfo.InvariantCulture);
                    Assert.True(inside == (automaton is not null && Matches(automaton, text)), $"{text} between {least} and {most}");
                }
            }
        }
    }

    [Fact]
    public void A_number_beside_an_excluded_bound_is_still_beside_it_as_a_double()
    {
        Automaton automaton = new(NumberRanges.Numbers(new Bound(123, Excluded: true), new Bound(124, Excluded: true))!);
        int nines = Enumerable.Range(1, 20).Last(count => Matches(automaton, "123." + new string('9', count)));
        Assert.InRange(nines, 10, 14);
        Assert.True(double.Parse("123." + new string('9', nines), CultureInfo.InvariantCulture) < 124);
        Assert.True(double.Parse("123." + new string('0', nines - 1) + "1", CultureInfo.InvariantCulture) > 123);
    }

    // Small numbers with few digits, so that many lie on a bound or right beside it.
    private static decimal Draw(Random random) => random.Next(3) switch
    {
        0 => random.Next(-12, 13),
        1 => random.Next(-120, 121) / 10m,
        _ => random.Next(-20_000, 20_001) / 1000m,
    };

    private static bool Matches(Automaton automaton, string text)
    {
        int state = automaton.Start;
        foreach (byte value in Encoding.UTF8.GetBytes(text))
        {
            state = state == Automaton.Dead ? state : automaton.Next(state, value);
        }
        return state != Automaton.Dead && automaton.IsAccepting(state);
    }
}
