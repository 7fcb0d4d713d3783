using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Patterns;

/// <summary>
/// A regular expression with Oniguruma's meaning over code points. .NET's own Regex sees UTF-16 units, so that an astral
/// letter is no \p{L} there, and it has no possessive repetition. Thread-safe.
/// </summary>
internal sealed class Pattern
{
    private const int StepsPerCharacter = 2_000;
    private const long FreeSteps = 1_000_000;

    private readonly string _source;
    private readonly Instruction[]? _program;
    private readonly string? _literal;

    private Pattern(string source, Instruction[]? program, string? literal)
    {
        _source = source;
        _program = program;
        _literal = literal;
    }

    /// <summary>A pattern that matches exactly <paramref name="text"/>.</summary>
    public static Pattern Literal(string text) => new(text, null, text);

    /// <summary>A regular expression; throws <see cref="NotSupportedException"/> naming the part it does not know.</summary>
    public static Pattern Regex(string source) => new(source, PatternProgram.Compile(PatternParser.Parse(source)), null);

    /// <summary>
    /// Adds to <paramref name="matches"/> what matches in <paramref name="text"/>, left to right without overlap.
    /// Throws <see cref="InvalidDataException"/> when the expression backtracks without end.
    /// </summary>
    public void FindAll(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        if (_literal is not null)
        {
            FindLiterals(text, matches);
            return;
        }
        var machine = new PatternMachine(text, FreeSteps + (long)text.Length * StepsPerCharacter);
        int lastEnd = -1;
        for (int at = 0; at <= text.Length;)
        {
            int end = machine.Run(_program!, at);
            if (machine.OutOfSteps)
            {
                throw new InvalidDataException(
                    $"regular expression '{PatternParser.Shorten(_source)}' backtracks too much on this text");
            }
            // An empty match right behind a match is none: Oniguruma's scan does not report it.
            if (end > at || (end == at && at != lastEnd))
            {
                matches.Add((at, end));
                lastEnd = end;
            }
            if (end > at)
            {
                at = end;
                continue;
            }
            if (at == text.Length)
            {
                break;
            }
            CodePoints.At(text, at, out int length);
            at += length;
        }
    }

    private void FindLiterals(ReadOnlySpan<char> text, List<(int Start, int End)> matches)
    {
        if (_literal!.Length == 0)
        {
            return;
        }
        for (int at = 0; ;)
        {
            int found = text[at..].IndexOf(_literal, StringComparison.Ordinal);
            if (found < 0)
            {
                return;
            }
            matches.Add((at + found, at + found + _literal.Length));
            at += found + _literal.Length;
        }
    }
}
