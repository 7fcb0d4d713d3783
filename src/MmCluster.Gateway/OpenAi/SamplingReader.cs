using System.Globalization;
using System.Text.Json;
using MmCluster.Engine;

namespace MmCluster.Gateway.OpenAi;

/// <summary>Reads the sampling fields that completions and chats share: OpenAI's, and vLLM's extras.</summary>
internal static class SamplingReader
{
    private const int MaxModalities = 16;
    private const int MaxStops = 16;
    private const int MaxLogprobs = 20;
    private const int MaxChoices = 128;

    private static readonly string[] Unsupported = ["allowed_token_ids", "audio", "bad_words", "prompt_logprobs", "use_beam_search", "web_search_options"];

    /// <summary>
    /// The parameters of <paramref name="fields"/> over the model's own <paramref name="defaults"/>; without a seed,
    /// <paramref name="drawSeed"/> gives one, so that a replay draws the same numbers.
    /// </summary>
    public static SamplingParameters Read(FieldReader fields, SamplingParameters defaults, Func<ulong> drawSeed)
    {
        RefuseUnsupported(fields);
        return Known(fields, defaults, drawSeed);
    }

    // Fields that nobody knows are ignored; these are known, and ignored they would give another answer than the one asked for.
    private static void RefuseUnsupported(FieldReader fields)
    {
        foreach (string name in Unsupported)
        {
            if (fields.Field(name) is { } value && value.ValueKind != JsonValueKind.False
                && !(value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0))
            {
                throw FieldReader.Invalid(name, $"'{name}' is not supported");
            }
        }
        if (fields.Strings("modalities", MaxModalities).FirstOrDefault(modality => modality != "text") is { } other)
        {
            throw FieldReader.Invalid("modalities", $"'modalities': answers over HTTP are text, not '{other}'; other media come over gRPC (mmcluster.v1.Generation)");
        }
    }

    private static SamplingParameters Known(FieldReader fields, SamplingParameters defaults, Func<ulong> drawSeed) => defaults with
    {
        Temperature = fields.Float("temperature", 0, 2) ?? defaults.Temperature,
        TopP = fields.Float("top_p", 0, 1, minExcluded: true) ?? defaults.TopP,
        TopK = fields.Int("top_k", -1, int.MaxValue) is { } topK ? Math.Max(topK, 0) : defaults.TopK,
        MinP = fields.Float("min_p", 0, 1) ?? defaults.MinP,
        RepetitionPenalty = fields.Float("repetition_penalty", 0, 100, minExcluded: true) ?? defaults.RepetitionPenalty,
        PresencePenalty = fields.Float("presence_penalty", -2, 2) ?? defaults.PresencePenalty,
        FrequencyPenalty = fields.Float("frequency_penalty", -2, 2) ?? defaults.FrequencyPenalty,
        LogitBias = LogitBias(fields) ?? defaults.LogitBias,
        Seed = fields.Field("seed") is { } seed ? Seed(fields, seed) : drawSeed(),
        Choices = fields.Int("n", 1, MaxChoices) ?? 1,
        MaxTokens = fields.Int("max_completion_tokens", 1, int.MaxValue) ?? fields.Int("max_tokens", 1, int.MaxValue) ?? defaults.MaxTokens,
        MinTokens = fields.Int("min_tokens", 0, int.MaxValue) ?? defaults.MinTokens,
        IgnoreEos = fields.Bool("ignore_eos", defaults.IgnoreEos),
        StopTokenIds = fields.Ints("stop_token_ids") ?? defaults.StopTokenIds,
        Stop = fields.Strings("stop", MaxStops),
        IncludeStop = fields.Bool("include_stop_str_in_output"),
        Logprobs = Logprobs(fields),
        SkipSpecialTokens = fields.Bool("skip_special_tokens", true),
        Structure = StructureReader.Read(fields),
    };

    // Completions: an integer. Chats: logprobs is a switch and top_logprobs the count.
    private static int? Logprobs(FieldReader fields)
    {
        if (fields.Field("logprobs") is not { } field)
        {
            return fields.Field("top_logprobs") is null
                ? null
                : throw FieldReader.Invalid("top_logprobs", "'top_logprobs' needs 'logprobs': true");
        }
        return field.ValueKind switch
        {
            JsonValueKind.True => fields.Int("top_logprobs", 0, MaxLogprobs) ?? 0,
            JsonValueKind.False => null,
            _ => fields.Int("logprobs", 0, MaxLogprobs),
        };
    }

    // OpenAI's seeds are signed; any 64 bits are a seed.
    private static ulong Seed(FieldReader fields, JsonElement seed) =>
        seed.ValueKind == JsonValueKind.Number && seed.TryGetInt64(out long signed) ? unchecked((ulong)signed)
        : seed.ValueKind == JsonValueKind.Number && seed.TryGetUInt64(out ulong unsigned) ? unsigned
        : throw fields.Bad("seed", "a whole number", seed);

    private static Dictionary<int, float>? LogitBias(FieldReader fields)
    {
        if (fields.Object("logit_bias") is not { } biases)
        {
            return null;
        }
        var result = new Dictionary<int, float>();
        foreach (JsonProperty entry in biases.Value.EnumerateObject())
        {
            if (!int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int token))
            {
                throw FieldReader.Invalid("logit_bias", $"'logit_bias' has token ids as keys, not '{entry.Name}'");
            }
            result[token] = biases.Float(entry.Name, -100, 100) ?? 0;
        }
        return result;
    }
}
