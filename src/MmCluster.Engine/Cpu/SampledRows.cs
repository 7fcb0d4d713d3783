using MmCluster.Engine.Sampling;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Engine.Cpu;

/// <summary>The way out of the last layer: draws tokens from the logits of a step's sampled rows, checking drafts as it goes.</summary>
internal sealed class SampledRows(int vocabulary, CpuSlot?[] slots)
{
    private readonly Sampler _sampler = new(vocabulary);
    private readonly int _maskWords = (vocabulary + 31) / 32;

    public Action<SlotStart, int, float[]>? LogitsSeen { get; set; }

    /// <summary>Adds an entry for each sampling chunk of <paramref name="plan"/>; <paramref name="logits"/> [R, vocabulary] has a row for each and for each draft.</summary>
    public void Sample(in StepPlan plan, Tensor logits, StepResult result)
    {
        int row = 0;
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            if (!chunk.Sample)
            {
                continue;
            }
            result.BeginChunk(chunk.Slot);
            CpuSlot slot = slots[chunk.Slot]!;
            ReadOnlySpan<int> drafts = plan.Drafts.Span.Slice(chunk.DraftOffset, chunk.DraftCount);
            try
            {
                for (int i = 0; i <= drafts.Length; i++)
                {
                    ReadOnlySpan<uint> mask = chunk.TokenMask is { } word ? plan.TokenMasks.Span.Slice(word + (i * _maskWords), _maskWords) : default;
                    Span<float> values = logits.Row<float>(row + i);
                    LogitsSeen?.Invoke(slot.Start, slot.Start.PromptLength + slot.Sampling!.OutputLength, values.ToArray());
                    int token = _sampler.Sample(values, slot.Sampling!, mask, result);
                    slot.Append(token);
                    if (i < drafts.Length && token != drafts[i])
                    {
                        break;
                    }
                }
            }
            catch (MmException error)
            {
                result.Fail(chunk.Slot, error);
            }
            row += 1 + drafts.Length;
        }
    }
}
