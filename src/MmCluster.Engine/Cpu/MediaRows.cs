using MmCluster.Models;
using MmCluster.Tensors;
using MmCluster.Tensors.Cuda;

namespace MmCluster.Engine.Cpu;

/// <summary>Who is told that a slot's own input is at fault, while the step holds for all others.</summary>
internal interface ISlotFailures
{
    /// <summary>Notes it.</summary>
    void Fail(int slot, MmException error);
}

/// <summary>Puts media features in the place of token embeddings, from any device to any.</summary>
internal static class MediaRows
{
    /// <summary>Overwrites the rows of <paramref name="hidden"/> [T, width], those of the chunks in order, where media stand; a slot whose features do not fit fails alone.</summary>
    public static void PlaceAll(ReadOnlySpan<SlotChunk> chunks, CpuSlot?[] slots, Tensor hidden, ISlotFailures failures)
    {
        int row = 0;
        foreach (ref readonly SlotChunk chunk in chunks)
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
                        Place(media[i], hidden, row + first - chunk.Start, first - media[i].Position, end - first);
                    }
                    catch (ArgumentException error)
                    {
                        failures.Fail(chunk.Slot, MmException.From(error));
                    }
                }
            }
            row += chunk.Count;
        }
    }

    /// <summary>Copies feature rows [<paramref name="first"/>, first + count) to the rows of <paramref name="target"/> [T, width] from <paramref name="row"/> on.</summary>
    /// <exception cref="ArgumentException">The features' shape is not what the span says.</exception>
    public static void Place(MediaSpan span, Tensor target, int row, int first, int count)
    {
        Tensor features = span.Features.GetAwaiter().GetResult();
        int width = target.Size(1);
        if (features.Rank != 2 || features.Size(0) != span.Length || features.Size(1) != width)
        {
            throw new ArgumentException($"media at position {span.Position}: features are {features.Shape}, expected [{span.Length}, {width}]");
        }
        target.Slice(0, row, row + count).CopyFrom(UsedOn(features, target.Device).Slice(0, first, first + count));
    }

    /// <summary>
    /// Says that work of the calling thread's stream on a device reads features that another stream of it made: they are not freed under it. Copies from another device are
    /// done when they return.
    /// </summary>
    public static Tensor UsedOn(Tensor features, Device device)
    {
        if (!device.IsCpu && features.Device == device)
        {
            CudaContext context = CudaContext.Get(device.Index);
            context.Allocator.RecordUse(features, context.Stream);
        }
        return features;
    }
}
