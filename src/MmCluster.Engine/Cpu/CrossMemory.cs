using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Cpu;

/// <summary>
/// Blocks of cross-attention KV that one sequence, or several choices of one request, attend to: an encoder's output or media features.
/// </summary>
internal sealed class CrossMemory(CrossMemories owner, int region)
{
    /// <summary>Which run of blocks.</summary>
    public int Region { get; } = region;

    /// <summary>Rows in it.</summary>
    public int Length { get; set; }

    /// <summary>Where each media item's rows end, in the order of the prompt, for cross-attention to media.</summary>
    public List<int> MediaEnds { get; } = [];

    private int _holders = 1;

    public CrossMemory Share()
    {
        _holders++;
        return this;
    }

    public void Release()
    {
        if (--_holders == 0)
        {
            owner.Free(Region);
        }
    }
}

/// <summary>All cross-attention KV of an executor: a region of blocks a slot, given out whole, because a memory is written once and not shared in parts.</summary>
internal sealed class CrossMemories : IDisposable
{
    private readonly ICrossBackbone _backbone;
    private readonly PagedKv[] _kv;
    private readonly Stack<int> _free = new();
    private readonly int _blocks;
    private readonly int _regions;
    private readonly bool _byMedia;
    private PagedBatch? _batch;

    public CrossMemories(ICrossBackbone backbone, int slots, DType dtype)
    {
        _backbone = backbone;
        _regions = slots;
        _byMedia = backbone.Spec.Kind == BackboneKind.CrossAttentionToMedia;
        _blocks = (backbone.Cross.MaxLength + PagedKv.BlockSize - 1) / PagedKv.BlockSize;
        _kv = [.. Enumerable.Range(0, backbone.Cross.Layers).Select(_ => new PagedKv(slots * _blocks, backbone.Cross.KvHeads, backbone.Cross.HeadDim, dtype))];
        Reset();
    }

    public IReadOnlyList<PagedKv> Kv => _kv;

    public int MaxLength => _backbone.Cross.MaxLength;

    public CrossMemory Take() => new(this, _free.Pop());

    public void Free(int region) => _free.Push(region);

    /// <summary>All regions are free.</summary>
    public void Reset()
    {
        _free.Clear();
        for (int region = _regions - 1; region >= 0; region--)
        {
            _free.Push(region);
        }
    }

    /// <summary>Appends rows [L, width] to a memory.</summary>
    public void Append(CrossMemory memory, Tensor rows)
    {
        int count = rows.Size(0);
        using Tensor starts = Tensor.Of(0, count);
        using Tensor lengths = Tensor.Of(memory.Length + count);
        using Tensor tables = Tensor.Zeros([1, _blocks], DType.I32);
        using Tensor mapping = Tensor.Zeros([count], DType.I32);
        using Tensor positions = Tensor.Zeros([count], DType.I32);
        Span<int> slots = mapping.AsSpan<int>();
        Span<int> places = positions.AsSpan<int>();
        for (int i = 0; i < count; i++)
        {
            slots[i] = (memory.Region * _blocks * PagedKv.BlockSize) + memory.Length + i;
            places[i] = memory.Length + i;
        }
        FillTable(memory, tables.AsSpan<int>());
        _backbone.AppendCross(rows, _kv, new PagedBatch
        {
            QueryStarts = starts,
            SequenceLengths = lengths,
            BlockTables = tables,
            SlotMapping = mapping,
            Positions = positions,
        });
        memory.Length += count;
    }

    /// <summary>Makes room for a step's batch; call it outside of the step's tensor scope, which would end its tensors.</summary>
    public void Shape(int sequences, PagedBatch batch)
    {
        if (_batch is null || _batch.SequenceLengths.Size(0) != sequences || _batch.QueryStarts != batch.QueryStarts)
        {
            Release();
            int rows = batch.Positions.Size(0);
            _batch = new PagedBatch
            {
                QueryStarts = batch.QueryStarts,
                SequenceLengths = Tensor.Zeros([sequences], DType.I32),
                BlockTables = Tensor.Zeros([sequences, _blocks], DType.I32),
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
        for (int i = 0; i < chunks.Length; i++)
        {
            CrossMemory memory = slots[chunks[i].Slot]!.Memory!;
            lengths[i] = memory.Length;
            FillTable(memory, tables.Slice(i * _blocks, _blocks));
        }
        if (_byMedia)
        {
            FillVisible(chunks, slots, _batch.VisibleStarts!.AsSpan<int>(), _batch.VisibleEnds!.AsSpan<int>());
        }
        return _batch;
    }

    // A position sees the rows of the last item at or before it (Flamingo, arXiv 2204.14198, section 2.4), whatever else its chunk reaches.
    private static void FillVisible(ReadOnlySpan<SlotChunk> chunks, CpuSlot?[] slots, Span<int> starts, Span<int> ends)
    {
        int row = 0;
        foreach (ref readonly SlotChunk chunk in chunks)
        {
            CpuSlot slot = slots[chunk.Slot]!;
            List<int> rowsEnd = slot.Memory!.MediaEnds;
            int passed = 0;
            for (int position = chunk.Start; position < chunk.Start + chunk.Count; position++, row++)
            {
                while (passed < rowsEnd.Count && slot.Start.Media[passed].Position <= position)
                {
                    passed++;
                }
                starts[row] = passed > 1 ? rowsEnd[passed - 2] : 0;
                ends[row] = passed > 0 ? rowsEnd[passed - 1] : 0;
            }
        }
    }

    public void Dispose()
    {
        foreach (PagedKv kv in _kv)
        {
            kv.Dispose();
        }
        Release();
    }

    private void Release()
    {
        _batch?.SequenceLengths.Dispose();
        _batch?.BlockTables.Dispose();
        _batch?.VisibleStarts?.Dispose();
        _batch?.VisibleEnds?.Dispose();
    }

    private void FillTable(CrossMemory memory, Span<int> table)
    {
        for (int i = 0; i < _blocks; i++)
        {
            table[i] = (memory.Region * _blocks) + i;
        }
    }
}
