using MmCluster.Engine.Scheduling;
using MmCluster.Models;

namespace MmCluster.Engine;

/// <summary>What a request must satisfy before it enters the engine; each refusal names the parameter.</summary>
internal static class RequestChecks
{
    private const int MaxChoices = 128;
    internal const int MaxLogprobs = 128;
    private const int MaxStops = 64;

    /// <exception cref="MmException">InvalidArgument.</exception>
    public static RequestState Prepare(EngineRequest request, ExecutorDescription model, EngineOptions options, int maxStepTokens, int maxLength)
    {
        SamplingParameters sampling = request.Sampling;
        Check(sampling, model, options);
        string salt = $"{(options.SharePrefixesAcrossTenants ? "" : request.Tenant)}\0{request.CacheSalt}";
        PromptLayout layout = PromptLayout.Build(request, model, salt, options.EnablePrefixCaching);
        if (layout.Tokens.Length >= maxLength || layout.EncoderTokens.Length > maxLength)
        {
            throw Invalid(
                $"the prompt has {Math.Max(layout.Tokens.Length, layout.EncoderTokens.Length)} tokens; the model takes {maxLength}, prompt and output together",
                "prompt");
        }
        int whole = Math.Max(
            layout.Bidirectional ? layout.Tokens.Length : 0,
            layout.Media.Where(media => media.Bidirectional).Select(media => media.Length).DefaultIfEmpty().Max());
        if (whole > maxStepTokens)
        {
            throw Invalid($"a span of {whole} positions must be computed at once; --max-num-batched-tokens is {maxStepTokens}", "prompt");
        }
        if (request.Emitted.Count > sampling.Choices)
        {
            throw Invalid($"{request.Emitted.Count} emitted outputs for {sampling.Choices} choices", "emitted");
        }
        foreach (ReadOnlyMemory<int> emitted in request.Emitted)
        {
            if (layout.Tokens.Length + emitted.Length > maxLength || emitted.Span.ContainsAnyExceptInRange(0, model.VocabularySize - 1))
            {
                throw Invalid("the emitted tokens do not fit this model", "emitted");
            }
        }
        return new RequestState(request, layout, options.SchedulingPolicy == SchedulingPolicy.Fcfs ? 0 : request.Priority, model.BlockSize)
        {
            Grammar = sampling.Structure is { } structure ? Structured.Grammars.Compile(structure, options, model.VocabularySize) : null,
        };
    }

    private static void Check(SamplingParameters sampling, ExecutorDescription model, EngineOptions options)
    {
        InRange(sampling.Temperature, 0, 2, "temperature");
        InRange(sampling.TopP, 0, 1, "top_p");
        InRange(sampling.MinP, 0, 1, "min_p");
        InRange(sampling.PresencePenalty, -2, 2, "presence_penalty");
        InRange(sampling.FrequencyPenalty, -2, 2, "frequency_penalty");
        if (sampling.TopP == 0)
        {
            throw Invalid("top_p is 0; it must be above 0 and at most 1", "top_p");
        }
        if (!(sampling.RepetitionPenalty > 0 && float.IsFinite(sampling.RepetitionPenalty)))
        {
            throw Invalid($"repetition_penalty is {sampling.RepetitionPenalty}; it must be above 0", "repetition_penalty");
        }
        InRange(sampling.TopK, 0, int.MaxValue, "top_k");
        InRange(sampling.Choices, 1, MaxChoices, "n");
        InRange(sampling.MaxTokens ?? 1, 1, int.MaxValue, "max_tokens");
        InRange(sampling.MinTokens, 0, sampling.MaxTokens ?? int.MaxValue, "min_tokens");
        InRange(sampling.Logprobs ?? 0, 0, Math.Min(MaxLogprobs, model.VocabularySize), "logprobs");
        InRange(sampling.Stop.Count, 0, MaxStops, "the number of stop strings");
        if (sampling.Stop.Count > 0 && options.Vocabulary is null)
        {
            throw Invalid("stop strings need a tokenizer, which the model does not have: use stop_token_ids", "stop");
        }
        if (sampling.Stop.Any(string.IsNullOrEmpty))
        {
            throw Invalid("a stop string is empty", "stop");
        }
        if (sampling.StopTokenIds.Any(id => (uint)id >= (uint)model.VocabularySize))
        {
            throw Invalid($"a stop token is not in the vocabulary of {model.VocabularySize}", "stop_token_ids");
        }
        foreach ((int id, float bias) in sampling.LogitBias ?? new Dictionary<int, float>())
        {
            if ((uint)id >= (uint)model.VocabularySize)
            {
                throw Invalid($"logit_bias names token {id}; ids go from 0 to {model.VocabularySize - 1}", "logit_bias");
            }
            InRange(bias, -100, 100, "logit_bias");
        }
    }

    private static void InRange(double value, double least, double most, string param)
    {
        if (!(value >= least && value <= most))
        {
            throw Invalid(FormattableString.Invariant($"{param} is {value}; it must be between {least} and {most}"), param);
        }
    }

    private static MmException Invalid(string message, string param) => new(MmErrorCode.InvalidArgument, message) { Param = param };
}
