using MmCluster.Tokenizers.PreTokenizers;
using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Json;

/// <summary>Builds the pre-tokenizers of tokenizer.json.</summary>
internal static class PreTokenizerReader
{
    private const string Known = "ByteLevel, Split, Metaspace, Whitespace, WhitespaceSplit, Punctuation, Digits, "
        + "BertPreTokenizer, CharDelimiterSplit, FixedLength, Sequence";

    public static PreTokenizer Read(JsonPart part)
    {
        string type = part.Required("type").AsString();
        return type switch
        {
            "ByteLevel" => new ByteLevelPreTokenizer(part.BoolOr("add_prefix_space", true), part.BoolOr("use_regex", true)),
            "Split" => new PatternPreTokenizer(PatternReader.Read(part), Behavior(part.Required("behavior")), part.BoolOr("invert", false)),
            "Metaspace" => new MetaspacePreTokenizer(Replacement(part), Scheme(part), part.BoolOr("split", true)),
            "Whitespace" => new WhitespacePreTokenizer(),
            "WhitespaceSplit" => new CharacterPreTokenizer(Categories.IsWhiteSpace, SplitBehavior.Removed),
            "Punctuation" => new CharacterPreTokenizer(
                Categories.IsPunctuation, part.Optional("behavior") is { } behavior ? Behavior(behavior) : SplitBehavior.Isolated),
            "Digits" => new CharacterPreTokenizer(
                codePoint => Categories.Is(codePoint, Categories.Number),
                part.BoolOr("individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous),
            "BertPreTokenizer" => new SequencePreTokenizer(
            [
                new CharacterPreTokenizer(Categories.IsWhiteSpace, SplitBehavior.Removed),
                new CharacterPreTokenizer(Categories.IsPunctuation, SplitBehavior.Isolated),
            ]),
            "CharDelimiterSplit" or "Delimiter" => ReadDelimiter(part.Required("delimiter")),
            "FixedLength" => ReadFixedLength(part),
            "Sequence" => new SequencePreTokenizer([.. part.Required("pretokenizers").Items().Select(Read)]),
            _ => throw part.Unknown(type, Known),
        };
    }

    /// <summary>Metaspace's "replacement": one character.</summary>
    public static string Replacement(JsonPart part)
    {
        string replacement = part.StringOr("replacement", "▁")!;
        return CodePoints.Count(replacement) == 1 ? replacement
            : throw new InvalidDataException($"{part.Path}: replacement '{replacement}' is not one character");
    }

    /// <summary>Metaspace's "prepend_scheme", or the older "add_prefix_space".</summary>
    public static PrependScheme Scheme(JsonPart part)
    {
        if (part.Optional("prepend_scheme") is not { } scheme)
        {
            return part.BoolOr("add_prefix_space", true) ? PrependScheme.Always : PrependScheme.Never;
        }
        return scheme.AsString() switch
        {
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            var other => throw scheme.Unknown(other, "always, first, never"),
        };
    }

    private static CharacterPreTokenizer ReadDelimiter(JsonPart part)
    {
        string delimiter = part.AsString();
        if (CodePoints.Count(delimiter) != 1)
        {
            throw new InvalidDataException($"{part.Path}: '{delimiter}' is not one character");
        }
        int wanted = CodePoints.At(delimiter, 0, out _);
        return new CharacterPreTokenizer(codePoint => codePoint == wanted, SplitBehavior.Removed);
    }

    private static FixedLengthPreTokenizer ReadFixedLength(JsonPart part)
    {
        int length = part.Optional("length")?.AsInt() ?? 5;
        return length > 0 ? new FixedLengthPreTokenizer(length)
            : throw new InvalidDataException($"{part.Path}: length {length} is not positive");
    }

    private static SplitBehavior Behavior(JsonPart part) => part.AsString() switch
    {
        "Removed" or "removed" => SplitBehavior.Removed,
        "Isolated" or "isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" or "merged_with_previous" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" or "merged_with_next" => SplitBehavior.MergedWithNext,
        "Contiguous" or "contiguous" => SplitBehavior.Contiguous,
        var other => throw part.Unknown(other, "Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous"),
    };
}
