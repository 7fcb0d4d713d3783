using MmCluster.Engine.Scheduling;
using MmCluster.Models;

namespace MmCluster.Engine.Output;

/// <summary>Writes what sequences gained into a step's outputs.</summary>
internal static class OutputWriter
{
    /// <summary>The last <paramref name="count"/> tokens of a sequence, which stand at <paramref name="offset"/> in the result.</summary>
    public static void Add(StepOutputs outputs, Sequence sequence, int count, StepResult result, int offset)
    {
        sequence.Tokens[^count..].CopyTo(outputs.Ids.Take(count));
        FinishReason? finish = sequence.Output.Finish;
        outputs.Outputs.Add(new SequenceOutput(
            sequence.Request.Request.Id,
            sequence.Choice,
            sequence.OutputLength - count,
            outputs.Ids.Memory[^count..],
            sequence.Output.TakeText(),
            finish)
        {
            Logprobs = sequence.Request.Request.Sampling.Logprobs is null ? null : LogprobsOf(result, offset, count),
            Usage = finish is null ? null : UsageOf(sequence),
        });
    }

    /// <summary>The end of a sequence without new tokens.</summary>
    public static void AddEnd(StepOutputs outputs, Sequence sequence, MmException? error) =>
        outputs.Outputs.Add(new SequenceOutput(
            sequence.Request.Request.Id, sequence.Choice, sequence.OutputLength, default, sequence.Output.TakeText(), sequence.Output.Finish)
        {
            Usage = UsageOf(sequence),
            Error = error,
        });

    private static Usage UsageOf(Sequence sequence) =>
        new(sequence.Request.Layout.PromptTokens, Math.Min(sequence.CachedAtStart ?? 0, sequence.PromptLength), sequence.OutputLength);

    private static OutputLogprobs[] LogprobsOf(StepResult result, int offset, int count)
    {
        var logprobs = new OutputLogprobs[count];
        for (int i = 0; i < count; i++)
        {
            SampledToken token = result.Tokens[offset + i];
            var top = new TokenLogprob[token.AlternativeCount];
            for (int j = 0; j < top.Length; j++)
            {
                top[j] = result.Alternatives[token.AlternativeOffset + j];
            }
            logprobs[i] = new OutputLogprobs(new TokenLogprob(token.Id, token.Logprob ?? float.NaN), top);
        }
        return logprobs;
    }
}
