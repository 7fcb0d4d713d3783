using MmCluster.Models;

namespace MmCluster.Engine.Structured;

/// <summary>A regular language, as a tree.</summary>
internal abstract record Pattern
{
    private Pattern()
    {
    }

    /// <summary>The empty text.</summary>
    public static Pattern Empty { get; } = new Sequence([]);

    /// <summary>No text at all, not even the empty one.</summary>
    public static Pattern None { get; } = new Choice([]);

    /// <summary>One character of a set.</summary>
    public sealed record Char(CharSet Set) : Pattern;

    /// <summary>One behind the other.</summary>
    public sealed record Sequence(IReadOnlyList<Pattern> Parts) : Pattern;

    /// <summary>One of several.</summary>
    public sealed record Choice(IReadOnlyList<Pattern> Options) : Pattern;

    /// <summary><paramref name="Body"/> between <paramref name="Least"/> and <paramref name="Most"/> times (null: any number), <paramref name="Separator"/> between.</summary>
    public sealed record Repeat(Pattern Body, int Least, int? Most, Pattern? Separator = null) : Pattern;

    /// <summary>This text.</summary>
    public static Pattern Text(string text) => new Sequence([.. text.EnumerateRunes().Select(rune => (Pattern)new Char(CharSet.Single(rune.Value)))]);

    public static Pattern Then(params Pattern[] parts) => new Sequence(parts);

    public static Pattern Either(params IEnumerable<Pattern> options) => new Choice([.. options]);

    public static Pattern Maybe(Pattern body) => new Repeat(body, 0, 1);

    /// <summary>The same language without parts that nothing matches; null where nothing matches the whole.</summary>
    public Pattern? Reduce()
    {
        switch (this)
        {
            case Sequence sequence:
                Pattern?[] parts = [.. sequence.Parts.Select(part => part.Reduce())];
                return parts.Contains(null) ? null : new Sequence(parts!);
            case Choice choice:
                Pattern[] options = [.. choice.Options.Select(option => option.Reduce()).OfType<Pattern>()];
                return options.Length > 0 ? new Choice(options) : null;
            case Repeat repeat:
                return repeat.Body.Reduce() is { } body ? repeat with { Body = body } : repeat.Least == 0 ? Empty : null;
            default:
                return this;
        }
    }

    public static MmException Refuse(string message, string param = "response_format") =>
        new(MmErrorCode.InvalidArgument, message) { Param = param };
}
