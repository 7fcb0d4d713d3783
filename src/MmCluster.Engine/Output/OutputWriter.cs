using MmCluster.Engine.Scheduling;
using MmCluster.Models;

namespace MmCluster.Engine.Output;

/// <summary>Writes what sequences gained into a step's outputs.</summary>
internal static class OutputWriter
{
    /// <summary>The last <paramref name="count"/> tokens of a sequence, which stand at <paramref name="offset"/> in the result.</summary>
    public static void Add(StepOutputs outputs, Sequence sequence, int count, StepResult result, int offset)
    {
        FinishReason? finish = sequence.Output.Finish;
        outputs.Outputs.Add(Unreported(outputs, sequence) with
        {
            Logprobs = sequence.Request.Request.Sampling.Logprobs is null ? null : LogprobsOf(result, offset, count),
            Usage = finish is null ? null : UsageOf(sequence),
        });
    }

    /// <summary>The end of a sequence from outside, with whatever was not yet reported.</summary>
    public static void AddEnd(StepOutputs outputs, Sequence sequence, MmException? error) =>
        outputs.Outputs.Add(Unreported(outputs, sequence) with { Usage = UsageOf(sequence), Error = error });

    private static SequenceOutput Unreported(StepOutputs outputs, Sequence sequence)
    {
        int first = sequence.ReportedLength;
        int count = sequence.OutputLength - first;
        sequence.Tokens[^count..].CopyTo(outputs.Ids.Take(count));
        sequence.ReportedLength = sequence.OutputLength;
        return new SequenceOutput(
            sequence.Request.Request.Id, sequence.Choice, first, outputs.Ids.Memory[^count..], sequence.Output.TakeText(), sequence.Output.Finish);
    }

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
