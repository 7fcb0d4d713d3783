using MmCluster.Models;
using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Cpu;

/// <summary>
/// Gives each sequence the memory that it attends to: made once, with its first chunk, on the network's device, and shared between the choices of a request. An encoder's
/// output is made of the request's own tokens and media; features of media are appended as the prompt reaches them.
/// </summary>
internal sealed class SlotMemories(ICrossBackbone backbone, CrossMemories memories, CpuSlot?[] slots, Device device)
{
    /// <summary>Makes what the plan's chunks attend to; a slot whose input does not fit fails alone. Call it inside a tensor scope.</summary>
    public void Remember(in StepPlan plan, ISlotFailures failures)
    {
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            CpuSlot slot = slots[chunk.Slot]!;
            slot.Memory ??= slot.Start.EncoderOf is { } other && slots[other]?.Memory is { } shared ? shared.Share() : memories.Take();
            try
            {
                Remember(slot, slot.Memory, chunk.Start + chunk.Count);
            }
            catch (Exception error) when (error is ArgumentException or InvalidDataException or NotSupportedException)
            {
                failures.Fail(chunk.Slot, MmException.From(error));
            }
        }
    }

    private void Remember(CpuSlot slot, CrossMemory memory, int end)
    {
        if (backbone.Spec.Kind == BackboneKind.EncoderDecoder)
        {
            if (memory.Length == 0)
            {
                Encode(slot.Start, memory);
            }
            return;
        }
        while (memory.MediaEnds.Count < slot.Start.Media.Count && slot.Start.Media[memory.MediaEnds.Count].Position < end)
        {
            Tensor features = slot.Start.Media[memory.MediaEnds.Count].Features.GetAwaiter().GetResult();
            memories.Append(memory, MediaRows.UsedOn(features, device).To(device).To(backbone.Spec.ActivationType));
            memory.MediaEnds.Add(memory.Length);
        }
    }

    private void Encode(SlotStart start, CrossMemory memory)
    {
        memories.CheckRoom(start.EncoderTokens.Length);
        int[] ids = start.EncoderTokens.ToArray();
        foreach (MediaSpan span in start.EncoderMedia)
        {
            ids.AsSpan(span.Position, span.Length).Clear();
        }
        Tensor embeddings = backbone.Embed(Tensor.From<int>(ids, [ids.Length]).To(device));
        foreach (MediaSpan span in start.EncoderMedia)
        {
            MediaRows.Place(span, embeddings, span.Position, 0, span.Length);
        }
        memories.Append(memory, backbone.Encode(embeddings));
    }
}
