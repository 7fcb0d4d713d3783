namespace MmCluster.Engine.Structured;

/// <summary>The parts of JSON text as patterns. White space: one space at most behind ':' and ','.</summary>
internal static class JsonPatterns
{
    private static readonly CharSet Hex = CharSet.Of(('0', '9'), ('a', 'f'), ('A', 'F'));

    // What may stand in a string as it is.
    private static readonly CharSet Plain = CharSet.Of((0, 0x1F), ('"', '"'), ('\\', '\\')).Negate();

    public static Pattern Comma { get; } = Pattern.Then(Letter(','), Pattern.Maybe(Letter(' ')));

    public static Pattern Colon { get; } = Pattern.Then(Letter(':'), Pattern.Maybe(Letter(' ')));

    public static Pattern Null { get; } = Pattern.Text("null");

    public static Pattern Boolean { get; } = Pattern.Either(Pattern.Text("true"), Pattern.Text("false"));

    /// <summary>One character of a string, as such or escaped. Halves of surrogate pairs are left out.</summary>
    public static Pattern StringCharacter { get; } = Pattern.Either(
        new Pattern.Char(Plain),
        Pattern.Then(Letter('\\'), Pattern.Either(
            new Pattern.Char(CharSet.Of([.. "\"\\/bfnrt".Select(letter => ((int)letter, (int)letter))])),
            Pattern.Then(Letter('u'), Pattern.Either(
                Pattern.Then(new Pattern.Char(Hex.Without(CharSet.Of(('d', 'd'), ('D', 'D')))), Times(new Pattern.Char(Hex), 3)),
                Pattern.Then(
                    new Pattern.Char(CharSet.Of(('d', 'd'), ('D', 'D'))),
                    new Pattern.Char(CharSet.Of(('0', '7'))),
                    Times(new Pattern.Char(Hex), 2)))))));

    public static Pattern Text(int least = 0, int? most = null) => Quoted(new Pattern.Repeat(StringCharacter, least, most));

    public static Pattern Quoted(Pattern body) => Pattern.Then(Letter('"'), body, Letter('"'));

    public static Pattern Integer(bool negative = true, bool zero = true, bool positive = true)
    {
        Pattern digits = Pattern.Then(
            new Pattern.Char(CharSet.Of(('1', '9'))), new Pattern.Repeat(new Pattern.Char(CharSet.Digits), 0, 17));
        List<Pattern> options = [];
        if (zero)
        {
            options.Add(Letter('0'));
        }
        if (positive)
        {
            options.Add(digits);
        }
        if (negative)
        {
            options.Add(Pattern.Then(Letter('-'), digits));
        }
        return Pattern.Either(options);
    }

    public static Pattern Number(bool negative = true)
    {
        Pattern digits = new Pattern.Char(CharSet.Digits);
        Pattern whole = Pattern.Either(
            Letter('0'), Pattern.Then(new Pattern.Char(CharSet.Of(('1', '9'))), new Pattern.Repeat(digits, 0, 17)));
        return Pattern.Then(
            negative ? Pattern.Maybe(Letter('-')) : Pattern.Empty,
            whole,
            Pattern.Maybe(Pattern.Then(Letter('.'), new Pattern.Repeat(digits, 1, 17))),
            Pattern.Maybe(Pattern.Then(
                new Pattern.Char(CharSet.Of(('e', 'e'), ('E', 'E'))),
                Pattern.Maybe(new Pattern.Char(CharSet.Of(('+', '+'), ('-', '-')))),
                new Pattern.Repeat(digits, 1, 2))));
    }

    public static Pattern Array(Pattern item, int least = 0, int? most = null) =>
        Pattern.Then(Letter('['), new Pattern.Repeat(item, least, most, Comma), Letter(']'));

    public static Pattern Map(Pattern value, int least = 0, int? most = null) =>
        Pattern.Then(Letter('{'), new Pattern.Repeat(Pattern.Then(Text(), Colon, value), least, most, Comma), Letter('}'));

    /// <summary>Any value, arrays and objects nested so deep at most.</summary>
    public static Pattern Any(int depth)
    {
        List<Pattern> options = [Text(), Number(), Boolean, Null];
        if (depth > 0)
        {
            Pattern inner = Any(depth - 1);
            options.Add(Array(inner));
            options.Add(Map(inner));
        }
        return Pattern.Either(options);
    }

    /// <summary>The characters of a set as they stand in a string: those with an escape in its short form.</summary>
    public static Pattern InString(CharSet set)
    {
        List<Pattern> options = [];
        CharSet plain = set.Intersect(Plain);
        if (!plain.IsEmpty)
        {
            options.Add(new Pattern.Char(plain));
        }
        foreach ((char letter, char escape) in new[] { ('"', '"'), ('\\', '\\'), ('\b', 'b'), ('\f', 'f'), ('\n', 'n'), ('\r', 'r'), ('\t', 't') })
        {
            if (set.Contains(letter))
            {
                options.Add(Pattern.Text($"\\{escape}"));
            }
        }
        return options.Count > 0 ? Pattern.Either(options) : throw Pattern.Refuse("a pattern asks for control characters, which JSON strings have not");
    }

    private static Pattern.Char Letter(char letter) => new(CharSet.Single(letter));

    private static Pattern.Repeat Times(Pattern body, int count) => new(body, count, count);
}
