using System.Text.Json;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Admission;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Keys;
using MmCluster.Gateway.Metrics;

namespace MmCluster.Gateway.OpenAi;

/// <summary>POST /v1/completions: prompts as text or token ids, one or several.</summary>
internal sealed class CompletionsEndpoint(BodyMemory memory, GatewayOptions options, GatewayMetrics metrics, TimeProvider time)
    : GenerationEndpoint(memory, options, metrics, time)
{
    private const int OpenAiDefaultMaxTokens = 16;
    private const int MaxPrompts = 1024;

    protected override string IdPrefix => "cmpl-";

    protected override SamplingParameters Defaults(SamplingParameters model) => model with { MaxTokens = OpenAiDefaultMaxTokens };

    protected override AnswerWriter Writer(string id, string model, long created, bool returnTokenIds, Func<int, string> tokenText) =>
        new CompletionWriter(id, model, created, returnTokenIds, tokenText);

    protected override ValueTask<IReadOnlyList<ModelInput>> ReadInputsAsync(FieldReader fields, Caller caller, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<ModelInput>>(ReadInputs(fields));

    private static ModelInput[] ReadInputs(FieldReader fields)
    {
        RefuseUnknownModes(fields);
        JsonElement prompt = fields.Field("prompt") ?? throw fields.Missing("prompt");
        if (One(prompt) is { } one)
        {
            return [one];
        }
        if (prompt.ValueKind == JsonValueKind.Array && prompt.GetArrayLength() is > 0 and <= MaxPrompts)
        {
            ModelInput?[] many = [.. prompt.EnumerateArray().Select(One)];
            if (many.All(input => input is not null))
            {
                return [.. many!];
            }
        }
        throw fields.Bad("prompt", $"a string, an array of token ids, or an array of at most {MaxPrompts} of these", prompt);
    }

    // Ignored, these would give another answer than the one asked for.
    private static void RefuseUnknownModes(FieldReader fields)
    {
        if (fields.Bool("echo"))
        {
            throw FieldReader.Invalid("echo", "'echo' is not supported: the prompt is not repeated in the answer");
        }
        if (fields.String("suffix") is { Length: > 0 })
        {
            throw FieldReader.Invalid("suffix", "'suffix' is not supported: no model here fills in the middle");
        }
        if (fields.Int("best_of", 1, int.MaxValue) is { } best && best != (fields.Int("n", 1, int.MaxValue) ?? 1))
        {
            throw FieldReader.Invalid("best_of", "'best_of' other than 'n' is not supported");
        }
    }

    private static ModelInput? One(JsonElement prompt) => prompt.ValueKind switch
    {
        JsonValueKind.String => new ModelInput.Text(prompt.GetString()!),
        JsonValueKind.Array when prompt.GetArrayLength() > 0 && FieldReader.TryInts(prompt) is { } ids => new ModelInput.Tokens(ids),
        _ => null,
    };
}
