using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Cpu;

/// <summary>
/// The ragged batch of a step: one row a computed position. The tensors are kept while their shapes stay, which is what a run of decode steps
/// does, and made anew otherwise.
/// </summary>
internal sealed class StepRows(int blockSize, bool embeds, BackboneKind kind, bool tokenTypes) : IDisposable
{
    private Tensor? _ids;
    private Tensor? _sampled;
    private Tensor? _types;
    private PagedBatch? _batch;
    private int _width;

    /// <summary>[T] token ids where they are embedded; media positions hold 0.</summary>
    public Tensor Ids => _ids!;

    /// <summary>[R] rows whose logits are wanted.</summary>
    public Tensor Sampled => _sampled!;

    /// <summary>[T] 0 text, 1 media, where the network asks for it.</summary>
    public Tensor? Types => _types;

    public PagedBatch Batch => _batch!;

    /// <summary>Lays the plan's chunks out.</summary>
    public void Fill(in StepPlan plan, CpuSlot?[] slots)
    {
        ReadOnlySpan<SlotChunk> chunks = plan.Chunks.Span;
        int rows = 0;
        int sampled = 0;
        int blocks = 1;
        bool visible = kind == BackboneKind.PrefixLm;
        foreach (ref readonly SlotChunk chunk in chunks)
        {
            CpuSlot slot = slots[chunk.Slot]!;
            rows += chunk.Count;
            sampled += chunk.Sample ? chunk.DraftCount + 1 : 0;
            blocks = Math.Max(blocks, (chunk.Start + chunk.Count + blockSize - 1) / blockSize);
            visible |= HasBidirectionalMedia(slot.Start);
        }
        Shape(rows, chunks.Length, sampled, blocks, visible);
        FillRows(plan, slots);
    }

    public void Dispose() => Release();

    private static bool HasBidirectionalMedia(SlotStart start)
    {
        for (int i = 0; i < start.Media.Count; i++)
        {
            if (start.Media[i].Bidirectional)
            {
                return true;
            }
        }
        return false;
    }

    private void Shape(int rows, int sequences, int sampled, int blocks, bool visible)
    {
        if (_batch is null || _batch.Positions.Size(0) != rows || _batch.SequenceLengths.Size(0) != sequences || blocks > _width
            || (_batch.VisibleEnds is not null) != visible)
        {
            _width = Math.Max(_width, (blocks + 63) / 64 * 64);
            ReleaseBatch();
            _ids = embeds ? Ints(rows) : null;
            _types = tokenTypes ? Ints(rows) : null;
            _batch = new PagedBatch
            {
                QueryStarts = Ints(sequences + 1),
                SequenceLengths = Ints(sequences),
                BlockTables = Tensor.Zeros([sequences, _width], DType.I32),
                SlotMapping = Ints(rows),
                Positions = Ints(rows),
                VisibleEnds = visible ? Ints(rows) : null,
            };
        }
        if (_sampled is null || _sampled.Size(0) != sampled)
        {
            _sampled?.Dispose();
            _sampled = Ints(sampled);
        }
    }

    private static Tensor Ints(int count) => Tensor.Zeros([count], DType.I32);

    private void FillRows(in StepPlan plan, CpuSlot?[] slots)
    {
        Span<int> ids = _ids is null ? default : _ids.AsSpan<int>();
        Span<int> types = _types is null ? default : _types.AsSpan<int>();
        Span<int> starts = _batch!.QueryStarts.AsSpan<int>();
        Span<int> lengths = _batch.SequenceLengths.AsSpan<int>();
        Span<int> tables = _batch.BlockTables.AsSpan<int>();
        Span<int> mapping = _batch.SlotMapping.AsSpan<int>();
        Span<int> positions = _batch.Positions.AsSpan<int>();
        Span<int> ends = _batch.VisibleEnds is { } visible ? visible.AsSpan<int>() : default;
        Span<int> sampled = _sampled!.AsSpan<int>();
        int row = 0;
        int sample = 0;
        ReadOnlySpan<SlotChunk> chunks = plan.Chunks.Span;
        for (int i = 0; i < chunks.Length; i++)
        {
            SlotChunk chunk = chunks[i];
            CpuSlot slot = slots[chunk.Slot]!;
            int end = chunk.Start + chunk.Count;
            int known = end - chunk.DraftCount;
            starts[i] = row;
            lengths[i] = end;
            ReadOnlySpan<int> blocks = slot.Blocks;
            blocks[..((end + blockSize - 1) / blockSize)].CopyTo(tables.Slice(i * _width, _width));
            for (int position = chunk.Start; position < end; position++, row++)
            {
                if (embeds)
                {
                    ids[row] = position < known ? slot.Tokens[position] : plan.Drafts.Span[chunk.DraftOffset + position - known];
                }
                positions[row] = position;
                mapping[row] = (blocks[position / blockSize] * blockSize) + (position % blockSize);
                if (!ends.IsEmpty)
                {
                    ends[row] = slot.VisibleEnd(position, kind == BackboneKind.PrefixLm);
                }
            }
            if (kind != BackboneKind.CrossAttentionToMedia)
            {
                MarkMedia(slot.Start, chunk, From(ids, row - chunk.Count), From(types, row - chunk.Count));
            }
            for (int last = row - 1 - chunk.DraftCount; chunk.Sample && last < row; last++)
            {
                sampled[sample++] = last;
            }
        }
        starts[chunks.Length] = row;
    }

    private static Span<int> From(Span<int> values, int first) => values.IsEmpty ? default : values[first..];

    // A placeholder's id may lie beyond the embedding table; its row is overwritten anyway.
    private static void MarkMedia(SlotStart start, SlotChunk chunk, Span<int> ids, Span<int> types)
    {
        if (!types.IsEmpty)
        {
            types[..chunk.Count].Clear();
        }
        for (int i = 0; i < start.Media.Count; i++)
        {
            MediaSpan span = start.Media[i];
            int first = Math.Max(span.Position, chunk.Start) - chunk.Start;
            int end = Math.Min(span.Position + span.Length, chunk.Start + chunk.Count) - chunk.Start;
            if (first < end)
            {
                if (!ids.IsEmpty)
                {
                    ids[first..end].Clear();
                }
                if (!types.IsEmpty)
                {
                    types[first..end].Fill(1);
                }
            }
        }
    }

    private void Release()
    {
        ReleaseBatch();
        _sampled?.Dispose();
        _sampled = null;
    }

    private void ReleaseBatch()
    {
        _ids?.Dispose();
        _types?.Dispose();
        if (_batch is { } batch)
        {
            batch.QueryStarts.Dispose();
            batch.SequenceLengths.Dispose();
            batch.BlockTables.Dispose();
            batch.SlotMapping.Dispose();
            batch.Positions.Dispose();
            batch.VisibleEnds?.Dispose();
            _batch = null;
        }
    }
}
