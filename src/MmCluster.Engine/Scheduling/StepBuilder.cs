namespace MmCluster.Engine.Scheduling;

/// <summary>A list whose memory stays, for plans that are built again and again.</summary>
internal sealed class PlanList<T>
{
    private T[] _items = new T[16];

    public int Count { get; private set; }

    public ReadOnlyMemory<T> Memory => _items.AsMemory(0, Count);

    public ReadOnlySpan<T> Span => _items.AsSpan(0, Count);

    public void Add(T item)
    {
        if (Count == _items.Length)
        {
            Array.Resize(ref _items, 2 * Count);
        }
        _items[Count++] = item;
    }

    /// <summary>Room for <paramref name="count"/> more items, to be filled by the caller.</summary>
    public Span<T> Take(int count)
    {
        if (Count + count > _items.Length)
        {
            Array.Resize(ref _items, Math.Max(2 * _items.Length, Count + count));
        }
        Count += count;
        return _items.AsSpan(Count - count, count);
    }

    public void Clear() => Count = 0;
}

/// <summary>A sequence's part in a plan, kept until the plan's result is in.</summary>
internal readonly record struct PlannedChunk(Sequence Sequence, int Epoch, int Slot, int Start, int Count, int DraftCount, bool Sample);

/// <summary>One plan under construction or in flight.</summary>
internal sealed class StepBuilder
{
    public long Step { get; private set; }

    public PlanList<int> Ends { get; } = new();

    public PlanList<SlotStart> Starts { get; } = new();

    public PlanList<BlockCopy> Copies { get; } = new();

    public PlanList<SlotChunk> Chunks { get; } = new();

    public PlanList<int> Blocks { get; } = new();

    public PlanList<int> Drafts { get; } = new();

    public PlanList<uint> TokenMasks { get; } = new();

    public PlanList<PlannedChunk> Planned { get; } = new();

    /// <summary>Positions that may still join.</summary>
    public int Budget { get; set; }

    public int Tokens { get; set; }

    public bool IsEmpty => Chunks.Count == 0 && Ends.Count == 0;

    public StepPlan Plan => new(
        Step, Ends.Memory, Starts.Memory, Copies.Memory, Chunks.Memory, Blocks.Memory, Drafts.Memory, TokenMasks.Memory);

    public void Begin(long step, int budget)
    {
        Step = step;
        Budget = budget;
        Tokens = 0;
        Ends.Clear();
        Starts.Clear();
        Copies.Clear();
        Chunks.Clear();
        Blocks.Clear();
        Drafts.Clear();
        TokenMasks.Clear();
        Planned.Clear();
    }

    /// <summary>Adds a sequence's next chunk up to <paramref name="end"/> and the last <paramref name="drafts"/> of <see cref="Drafts"/> behind it.</summary>
    public void Add(Sequence sequence, int end, int drafts)
    {
        int start = sequence.Planned;
        int count = end - start + drafts;
        bool sample = end == sequence.Reach;
        int draftOffset = Drafts.Count - drafts;
        ReadOnlySpan<int> blocks = sequence.Blocks[sequence.SentBlocks..];
        int blockOffset = Blocks.Count;
        blocks.CopyTo(Blocks.Take(blocks.Length));
        sequence.SentBlocks = sequence.BlockCount;
        int? mask = sample ? sequence.Output.AddMasks(TokenMasks, Drafts.Span[draftOffset..]) : null;
        Chunks.Add(new SlotChunk(sequence.Slot, start, count, blockOffset, blocks.Length, draftOffset, drafts, sample, mask));
        Planned.Add(new PlannedChunk(sequence, sequence.Epoch, sequence.Slot, start, count, drafts, sample));
        Budget -= count;
        Tokens += count;
        sequence.Planned = end + drafts;
        sequence.LastPlannedStep = Step;
        sequence.Tenant.Served += count;
    }
}
