using System.Collections.Immutable;
using MmCluster.Tokenizers.Json;

namespace MmCluster.Tokenizers.Config;

/// <summary>A checkpoint's generation_config.json: where generation ends, and how it samples unless the caller says otherwise.</summary>
public sealed record GenerationConfig
{
    private const int MaxEosTokens = 1024;

    /// <summary>Nothing is said.</summary>
    public static GenerationConfig Empty { get; } = new();

    /// <summary>Ids that end the generation; empty when the file names none.</summary>
    public ImmutableArray<int> EosTokenIds { get; init; } = [];

    /// <summary>The id that begins a text, or null.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>The id that fills batches, or null.</summary>
    public int? PadTokenId { get; init; }

    /// <summary>Whether to sample (true) or to take the likeliest token (false); null leaves it open.</summary>
    public bool? DoSample { get; init; }

    /// <summary>Divides the logits; at least 0.</summary>
    public double? Temperature { get; init; }

    /// <summary>Sample among so many of the likeliest tokens; 0 for no limit.</summary>
    public int? TopK { get; init; }

    /// <summary>Sample among the likeliest tokens that hold this much probability, 0 to 1.</summary>
    public double? TopP { get; init; }

    /// <summary>Leave out tokens below this fraction of the likeliest one's probability, 0 to 1.</summary>
    public double? MinP { get; init; }

    /// <summary>Divides the logits of tokens that occurred; above 0.</summary>
    public double? RepetitionPenalty { get; init; }

    /// <summary>The most tokens to generate, or null.</summary>
    public int? MaxNewTokens { get; init; }

    /// <summary>The most tokens of prompt and answer together, or null.</summary>
    public int? MaxLength { get; init; }

    /// <summary>Reads the folder's generation_config.json; <see cref="Empty"/> without one.</summary>
    /// <exception cref="InvalidDataException">The file is no JSON, or a value is out of range.</exception>
    public static GenerationConfig FromFolder(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        GenerationConfig config = Empty;
        FolderFile.ReadJson(folder, "generation_config.json", part => config = Read(part));
        return config;
    }

    private static GenerationConfig Read(JsonPart part) => new()
    {
        EosTokenIds = part.Optional("eos_token_id") is { } eos ? ReadIds(eos) : [],
        BosTokenId = part.Optional("bos_token_id") is { IsArray: false } bos ? ReadId(bos) : null,
        PadTokenId = part.Optional("pad_token_id") is { IsArray: false } pad ? PadId(pad) : null,
        DoSample = part.Optional("do_sample")?.AsBool(),
        Temperature = Ranged(part, "temperature", 0, double.MaxValue),
        TopK = Whole(part, "top_k", 0),
        TopP = Ranged(part, "top_p", 0, 1),
        MinP = Ranged(part, "min_p", 0, 1),
        RepetitionPenalty = Ranged(part, "repetition_penalty", double.Epsilon, double.MaxValue),
        MaxNewTokens = Whole(part, "max_new_tokens", 1),
        MaxLength = Whole(part, "max_length", 1),
    };

    private static ImmutableArray<int> ReadIds(JsonPart part)
    {
        if (!part.IsArray)
        {
            return [ReadId(part)];
        }
        ImmutableArray<int> ids = [.. part.Items().Take(MaxEosTokens + 1).Select(ReadId)];
        return ids.Length <= MaxEosTokens ? ids
            : throw new InvalidDataException($"{part.Path}: more than {MaxEosTokens} ids");
    }

    private static int ReadId(JsonPart part) =>
        part.AsInt() is >= 0 and var id ? id : throw new InvalidDataException($"{part.Path}: id {part.AsInt()} is negative");

    // -1 is how some checkpoints write "none".
    private static int? PadId(JsonPart part) => part.AsInt() is >= 0 and var id ? id : null;

    private static double? Ranged(JsonPart part, string key, double least, double most)
    {
        if (part.Optional(key) is not { } item)
        {
            return null;
        }
        double value = item.AsDouble();
        return value >= least && value <= most ? value
            : throw new InvalidDataException($"{item.Path}: {value} is out of range");
    }

    private static int? Whole(JsonPart part, string key, int least)
    {
        if (part.Optional(key) is not { } item)
        {
            return null;
        }
        int value = item.AsInt();
        return value >= least ? value : throw new InvalidDataException($"{item.Path}: {value} is out of range");
    }
}
