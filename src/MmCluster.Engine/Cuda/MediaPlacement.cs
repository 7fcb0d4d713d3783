using MmCluster.Engine.Cpu;
using MmCluster.Tensors;

namespace MmCluster.Engine.Cuda;

/// <summary>The media of a plan; of none where it is the default, as while a graph is recorded.</summary>
internal readonly ref struct MediaPlacement(in StepPlan plan, CpuSlot?[] slots, StepFlight flight)
{
    private readonly ReadOnlySpan<SlotChunk> _chunks = plan.Chunks.Span;

    /// <summary>Puts features in the place of token embeddings, rows of <paramref name="hidden"/> [T, width].</summary>
    public void Place(Tensor hidden) => MediaRows.PlaceAll(_chunks, slots, hidden, flight);
}
