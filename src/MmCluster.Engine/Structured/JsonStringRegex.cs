namespace MmCluster.Engine.Structured;

/// <summary>Regular expressions over the text of a JSON string, as they look inside its quotes.</summary>
internal static class JsonStringRegex
{
    /// <summary>Matches anywhere unless anchored, as JSON Schema has it.</summary>
    public static Pattern Build(string regex)
    {
        Pattern any = new Pattern.Repeat(JsonPatterns.StringCharacter, 0, null);
        return Pattern.Either(RegexParser.ParseOptions(regex).Select(option => Pattern.Then(
            option.FromStart ? Pattern.Empty : any, Escape(option.Pattern), option.ToEnd ? Pattern.Empty : any)));
    }

    /// <summary>The expression of a format, or null for one that is only a remark.</summary>
    public static string? OfFormat(string format) => format switch
    {
        "date" => "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$",
        "time" => @"^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
        "date-time" => @"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
        "uuid" => "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        "ipv4" => @"^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])$",
        "email" => @"^[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$",
        _ => null,
    };

    private static Pattern Escape(Pattern pattern) => pattern switch
    {
        Pattern.Char letter => JsonPatterns.InString(letter.Set),
        Pattern.Sequence sequence => new Pattern.Sequence([.. sequence.Parts.Select(Escape)]),
        Pattern.Choice choice => new Pattern.Choice([.. choice.Options.Select(Escape)]),
        Pattern.Repeat repeat => repeat with { Body = Escape(repeat.Body) },
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
