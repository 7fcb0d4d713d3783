using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Cpu;

/// <summary>The memories of a step's sequences as a batch on the processor. Its tensors are kept while their shapes stay, as those of <see cref="StepRows"/>.</summary>
internal sealed class CrossRows(CrossMemories memories, BackboneKind kind) : IDisposable
{
    private readonly bool _byMedia = kind == BackboneKind.CrossAttentionToMedia;
    private PagedBatch? _batch;

    /// <summary>Makes room for a step's batch; call it outside of the step's tensor scope, which would end its tensors.</summary>
    public void Shape(int sequences, PagedBatch batch)
    {
        if (_batch is null || _batch.SequenceLengths.Size(0) != sequences || _batch.QueryStarts != batch.QueryStarts)
        {
            Dispose();
            int rows = batch.Positions.Size(0);
            _batch = new PagedBatch
            {
                QueryStarts = batch.QueryStarts,
                SequenceLengths = Tensor.Zeros([sequences], DType.I32),
                BlockTables = Tensor.Zeros([sequences, memories.Blocks], DType.I32),
                SlotMapping = batch.SlotMapping,
                Positions = batch.Positions,
                VisibleStarts = _byMedia ? Tensor.Zeros([rows], DType.I32) : null,
                VisibleEnds = _byMedia ? Tensor.Zeros([rows], DType.I32) : null,
            };
        }
    }

    /// <summary>The memories of a step's sequences, rows as in the step's own batch.</summary>
    public PagedBatch BatchFor(in StepPlan plan, CpuSlot?[] slots)
    {
        Span<int> lengths = _batch!.SequenceLengths.AsSpan<int>();
        Span<int> tables = _batch.BlockTables.AsSpan<int>();
        ReadOnlySpan<SlotChunk> chunks = plan.Chunks.Span;
        int row = 0;
        for (int i = 0; i < chunks.Length; i++)
        {
            CpuSlot slot = slots[chunks[i].Slot]!;
            lengths[i] = slot.Memory!.Length;
            memories.FillTable(slot.Memory, tables.Slice(i * memories.Blocks, memories.Blocks));
            if (_byMedia)
            {
                slot.FillVisibleMemory(
                    chunks[i].Start, _batch.VisibleStarts!.AsSpan<int>().Slice(row, chunks[i].Count), _batch.VisibleEnds!.AsSpan<int>().Slice(row, chunks[i].Count));
            }
            row += chunks[i].Count;
        }
        return _batch;
    }

    /// <summary>Frees its tensors; those of the step's batch are not its own.</summary>
    public void Dispose()
    {
        _batch?.SequenceLengths.Dispose();
        _batch?.BlockTables.Dispose();
        _batch?.VisibleStarts?.Dispose();
        _batch?.VisibleEnds?.Dispose();
        _batch = null;
    }
}
