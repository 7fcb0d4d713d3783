using MmCluster.Models;
using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Cpu;

/// <summary>The way into the first layer: token embeddings with media features in their places, and what a decoder attends to besides itself.</summary>
internal sealed class EmbeddedRows(IBackbone backbone, CrossMemories? memories, CpuSlot?[] slots, DecoderKind kind)
{
    /// <summary>The step's rows [T, EmbeddingSize], in the caller's scope.</summary>
    public Tensor Forward(in StepPlan plan, StepRows rows, StepResult result)
    {
        RememberAll(plan, result);
        Tensor hidden = backbone.Embed(rows.Ids);
        if (kind != DecoderKind.CrossAttentionToMedia)
        {
            PlaceMedia(hidden, plan, result);
        }
        return hidden;
    }

    // Gives each slot the memory it attends to: made with its first chunk, shared between choices.
    private void RememberAll(in StepPlan plan, StepResult result)
    {
        if (memories is null)
        {
            return;
        }
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            CpuSlot slot = slots[chunk.Slot]!;
            slot.Memory ??= slot.Start.EncoderOf is { } other && slots[other]?.Memory is { } shared ? shared.Share() : memories.Take();
            try
            {
                Remember(slot, slot.Memory, memories, chunk.Start + chunk.Count);
            }
            catch (Exception error) when (error is ArgumentException or InvalidDataException or NotSupportedException)
            {
                result.Fail(chunk.Slot, MmException.From(error));
            }
        }
    }

    private void Remember(CpuSlot slot, CrossMemory memory, CrossMemories all, int end)
    {
        if (kind == DecoderKind.EncoderDecoder)
        {
            if (memory.Length == 0)
            {
                Encode(slot.Start, memory, all);
            }
            return;
        }
        while (memory.MediaEnds.Count < slot.Start.Media.Count && slot.Start.Media[memory.MediaEnds.Count].Position < end)
        {
            Tensor features = slot.Start.Media[memory.MediaEnds.Count].Features.GetAwaiter().GetResult();
            CheckRoom(all, memory.Length + features.Size(0));
            all.Append(memory, features);
            memory.MediaEnds.Add(memory.Length);
        }
    }

    private void Encode(SlotStart start, CrossMemory memory, CrossMemories all)
    {
        CheckRoom(all, start.EncoderTokens.Length);
        int[] ids = start.EncoderTokens.ToArray();
        foreach (MediaSpan span in start.EncoderMedia)
        {
            ids.AsSpan(span.Position, span.Length).Clear();
        }
        Tensor embeddings = backbone.Embed(Tensor.From<int>(ids, [ids.Length]));
        foreach (MediaSpan span in start.EncoderMedia)
        {
            MediaRows.Place(span, embeddings, span.Position, 0, span.Length);
        }
        all.Append(memory, ((ICrossBackbone)backbone).Encode(embeddings));
    }

    private static void CheckRoom(CrossMemories all, int length)
    {
        if (length > all.MaxLength)
        {
            throw new ArgumentException($"the encoder's input takes {length} positions; the model has {all.MaxLength}");
        }
    }

    private void PlaceMedia(Tensor hidden, in StepPlan plan, StepResult result)
    {
        int row = 0;
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            IReadOnlyList<MediaSpan> media = slots[chunk.Slot]!.Start.Media;
            for (int i = 0; i < media.Count; i++)
            {
                int first = Math.Max(media[i].Position, chunk.Start);
                int end = Math.Min(media[i].Position + media[i].Length, chunk.Start + chunk.Count);
                if (first < end)
                {
                    try
                    {
                        MediaRows.Place(media[i], hidden, row + first - chunk.Start, first - media[i].Position, end - first);
                    }
                    catch (ArgumentException error)
                    {
                        result.Fail(chunk.Slot, MmException.From(error));
                    }
                }
            }
            row += chunk.Count;
        }
    }
}
