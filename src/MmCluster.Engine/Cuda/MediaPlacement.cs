using MmCluster.Engine.Cpu;
using MmCluster.Models;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Cuda;

/// <summary>Puts the media features of a plan in the place of token embeddings, on the GPU.</summary>
internal readonly ref struct MediaPlacement(in StepPlan plan, CpuSlot?[] slots, StepFlight flight, CudaStream stream)
{
    private readonly ReadOnlySpan<SlotChunk> _chunks = plan.Chunks.Span;

    /// <summary>Overwrites the rows of <paramref name="hidden"/> [T, width] where media stand; a slot whose features do not fit fails alone.</summary>
    public void Place(Tensor hidden)
    {
        int row = 0;
        foreach (ref readonly SlotChunk chunk in _chunks)
        {
            IReadOnlyList<MediaSpan> media = slots[chunk.Slot]!.Start.Media;
            for (int i = 0; i < media.Count; i++)
            {
                int first = Math.Max(media[i].Position, chunk.Start);
                int end = Math.Min(media[i].Position + media[i].Length, chunk.Start + chunk.Count);
                if (first < end && !TryPlace(media[i], hidden.Slice(0, row + first - chunk.Start, row + end - chunk.Start), first - media[i].Position))
                {
                    Tensor features = media[i].Features.GetAwaiter().GetResult();
                    flight.Fail(chunk.Slot, new MmException(
                        MmErrorCode.InvalidArgument,
                        $"media at position {media[i].Position}: features are {features.Shape}, expected [{media[i].Length}, {hidden.Size(1)}]"));
                }
            }
            row += chunk.Count;
        }
    }

    private bool TryPlace(in MediaSpan span, Tensor rows, int first)
    {
        Tensor features = span.Features.GetAwaiter().GetResult();
        if (features.Rank != 2 || features.Size(0) != span.Length || features.Size(1) != rows.Size(1))
        {
            return false;
        }
        if (features.Device == rows.Device) // copies from elsewhere are done when they return
        {
            stream.Context.Allocator.RecordUse(features, stream);
        }
        rows.CopyFrom(features.Slice(0, first, first + rows.Size(0)));
        return true;
    }
}
