using System.Globalization;
using MmCluster.Engine;
using MmCluster.Gateway.OpenAi;
using MmCluster.Models;
using Message = MmCluster.Protos.V1.SamplingParameters;

namespace MmCluster.Gateway.Grpc;

/// <summary>Sampling as messages carry it; ranges are those of the HTTP routes.</summary>
internal static class SamplingMessage
{
    private const int MaxChoices = 128;
    private const int MaxLogprobs = 20;
    private const int MaxStops = 16;
    private const int MaxStopTokens = 1024;

    /// <summary>
    /// The parameters of <paramref name="message"/> (null is all absent) over the model's own; without a seed,
    /// <paramref name="drawSeed"/> gives one, so that a replay draws the same numbers.
    /// </summary>
    public static SamplingParameters Read(Message? message, SamplingParameters defaults, Func<ulong> drawSeed) => message is null
        ? defaults with { Seed = drawSeed() }
        : defaults with
        {
            Temperature = Number(message.HasTemperature, message.Temperature, 0, 2, "temperature") ?? defaults.Temperature,
            TopK = Whole(message.HasTopK, message.TopK, -1, int.MaxValue, "top_k") is { } topK ? Math.Max(topK, 0) : defaults.TopK,
            TopP = Number(message.HasTopP, message.TopP, float.Epsilon, 1, "top_p") ?? defaults.TopP,
            MinP = Number(message.HasMinP, message.MinP, 0, 1, "min_p") ?? defaults.MinP,
            RepetitionPenalty = Number(message.HasRepetitionPenalty, message.RepetitionPenalty, float.Epsilon, 100, "repetition_penalty") ?? defaults.RepetitionPenalty,
            PresencePenalty = Number(message.HasPresencePenalty, message.PresencePenalty, -2, 2, "presence_penalty") ?? defaults.PresencePenalty,
            FrequencyPenalty = Number(message.HasFrequencyPenalty, message.FrequencyPenalty, -2, 2, "frequency_penalty") ?? defaults.FrequencyPenalty,
            LogitBias = message.LogitBias.Count == 0 ? defaults.LogitBias
                : message.LogitBias.ToDictionary(bias => bias.Key, bias => Number(true, bias.Value, -100, 100, "logit_bias")!.Value),
            Seed = message.HasSeed ? message.Seed : drawSeed(),
            Choices = Whole(message.HasN, message.N, 1, MaxChoices, "n") ?? 1,
            MaxTokens = Whole(message.HasMaxTokens, message.MaxTokens, 1, int.MaxValue, "max_tokens") ?? defaults.MaxTokens,
            MinTokens = Whole(message.HasMinTokens, message.MinTokens, 0, int.MaxValue, "min_tokens") ?? defaults.MinTokens,
            IgnoreEos = message.IgnoreEos || defaults.IgnoreEos,
            StopTokenIds = message.StopTokenIds.Count == 0 ? defaults.StopTokenIds : [.. AtMost(message.StopTokenIds, MaxStopTokens, "stop_token_ids")],
            Stop = [.. AtMost(message.Stop, MaxStops, "stop")],
            IncludeStop = message.IncludeStopStrInOutput,
            Logprobs = Whole(message.HasLogprobs, message.Logprobs, 0, MaxLogprobs, "logprobs"),
            SkipSpecialTokens = !message.HasSkipSpecialTokens || message.SkipSpecialTokens,
            Structure = message.StructureCase switch
            {
                Message.StructureOneofCase.JsonSchema => new StructuredOutput.JsonSchema(message.JsonSchema),
                Message.StructureOneofCase.Regex => new StructuredOutput.Regex(message.Regex),
                _ => null,
            },
        };

    private static float? Number(bool present, float value, float least, float most, string name) => !present ? null
        : value >= least && value <= most ? value
        : throw Bad(name, value.ToString(CultureInfo.InvariantCulture), least <= float.Epsilon && least > 0 ? "above 0" : least.ToString(CultureInfo.InvariantCulture), most);

    private static int? Whole(bool present, int value, int least, int most, string name) => !present ? null
        : value >= least && value <= most ? value
        : throw Bad(name, value.ToString(CultureInfo.InvariantCulture), least.ToString(CultureInfo.InvariantCulture), most);

    private static IReadOnlyCollection<T> AtMost<T>(IReadOnlyCollection<T> items, int most, string name) => items.Count <= most
        ? items
        : throw FieldReader.Invalid("sampling." + name, $"'sampling.{name}' has {items.Count} entries; {most} are the most");

    private static MmException Bad(string name, string value, string least, float most) => FieldReader.Invalid(
        "sampling." + name, string.Create(CultureInfo.InvariantCulture, $"'sampling.{name}' is {value}; it must be from {least} to {most}"));
}
