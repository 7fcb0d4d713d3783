using MmCluster.Engine;

namespace MmCluster.Cluster.Wire;

/// <summary>Sampling parameters in a message.</summary>
[GenerateSerializer, Immutable, Alias("mm.Sampling")]
internal struct SamplingSurrogate
{
    [Id(0)]
    public float Temperature;

    [Id(1)]
    public int TopK;

    [Id(2)]
    public float TopP;

    [Id(3)]
    public float MinP;

    [Id(4)]
    public float RepetitionPenalty;

    [Id(5)]
    public float PresencePenalty;

    [Id(6)]
    public float FrequencyPenalty;

    [Id(7), Immutable]
    public Dictionary<int, float>? LogitBias;

    [Id(8)]
    public ulong Seed;

    [Id(9)]
    public int Choices;

    [Id(10)]
    public int? MaxTokens;

    [Id(11)]
    public int MinTokens;

    [Id(12)]
    public bool IgnoreEos;

    [Id(13), Immutable]
    public int[]? StopTokenIds;

    [Id(14), Immutable]
    public string[]? Stop;

    [Id(15)]
    public bool IncludeStop;

    [Id(16)]
    public int? Logprobs;

    [Id(17)]
    public bool KeepSpecialTokens;

    [Id(18)]
    public string? JsonSchema;

    [Id(19)]
    public string? Regex;
}

/// <summary>Converts sampling parameters.</summary>
[RegisterConverter]
internal sealed class SamplingConverter : IConverter<SamplingParameters, SamplingSurrogate>
{
    public SamplingParameters ConvertFromSurrogate(in SamplingSurrogate surrogate) => new()
    {
        Temperature = surrogate.Temperature,
        TopK = surrogate.TopK,
        TopP = surrogate.TopP,
        MinP = surrogate.MinP,
        RepetitionPenalty = surrogate.RepetitionPenalty,
        PresencePenalty = surrogate.PresencePenalty,
        FrequencyPenalty = surrogate.FrequencyPenalty,
        LogitBias = surrogate.LogitBias,
        Seed = surrogate.Seed,
        Choices = surrogate.Choices,
        MaxTokens = surrogate.MaxTokens,
        MinTokens = surrogate.MinTokens,
        IgnoreEos = surrogate.IgnoreEos,
        StopTokenIds = surrogate.StopTokenIds ?? [],
        Stop = surrogate.Stop ?? [],
        IncludeStop = surrogate.IncludeStop,
        Logprobs = surrogate.Logprobs,
        SkipSpecialTokens = !surrogate.KeepSpecialTokens,
        Structure = surrogate.JsonSchema is { } schema ? new StructuredOutput.JsonSchema(schema)
            : surrogate.Regex is { } pattern ? new StructuredOutput.Regex(pattern)
            : null,
    };

    public SamplingSurrogate ConvertToSurrogate(in SamplingParameters value) => new()
    {
        Temperature = value.Temperature,
        TopK = value.TopK,
        TopP = value.TopP,
        MinP = value.MinP,
        RepetitionPenalty = value.RepetitionPenalty,
        PresencePenalty = value.PresencePenalty,
        FrequencyPenalty = value.FrequencyPenalty,
        LogitBias = value.LogitBias is { } bias ? new Dictionary<int, float>(bias) : null,
        Seed = value.Seed,
        Choices = value.Choices,
        MaxTokens = value.MaxTokens,
        MinTokens = value.MinTokens,
        IgnoreEos = value.IgnoreEos,
        StopTokenIds = value.StopTokenIds.Count > 0 ? [.. value.StopTokenIds] : null,
        Stop = value.Stop.Count > 0 ? [.. value.Stop] : null,
        IncludeStop = value.IncludeStop,
        Logprobs = value.Logprobs,
        KeepSpecialTokens = !value.SkipSpecialTokens,
        JsonSchema = (value.Structure as StructuredOutput.JsonSchema)?.Schema,
        Regex = (value.Structure as StructuredOutput.Regex)?.Pattern,
    };
}
