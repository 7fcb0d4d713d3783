using MmCluster.Engine.Sampling;

namespace MmCluster.Engine.Cpu;

/// <summary>
/// A sequence on a shard: its block table, its tokens where they are embedded, its sampling state where it is sampled and, for networks with
/// cross-attention, its memory.
/// </summary>
internal sealed class CpuSlot
{
    private int[]? _tokens;
    private int[] _blocks = new int[16];

    /// <summary>Fills a slot.</summary>
    /// <param name="start">The sequence.</param>
    /// <param name="step">The step that filled it.</param>
    /// <param name="maxLength">Longest sequence; 0 on a shard that needs no tokens.</param>
    public CpuSlot(SlotStart start, long step, int maxLength)
    {
        Start = start;
        StartedAt = step;
        if (maxLength > 0)
        {
            _tokens = new int[Math.Min(maxLength + 1, start.Tokens.Length + 4096)];
            start.Tokens.CopyTo(_tokens);
            Length = start.Tokens.Length;
        }
    }

    public SlotStart Start { get; }

    /// <summary>The step that filled it.</summary>
    public long StartedAt { get; }

    public int Length { get; private set; }

    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Length);

    public ReadOnlySpan<int> Blocks => _blocks.AsSpan(0, BlockCount);

    public int BlockCount { get; private set; }

    /// <summary>Null on a shard that does not sample.</summary>
    public SlotSampling? Sampling { get; init; }

    /// <summary>What the decoder attends to besides itself; null for decoder-only networks.</summary>
    public CrossMemory? Memory { get; set; }

    public void Append(int token)
    {
        if (_tokens is null)
        {
            return;
        }
        if (Length == _tokens.Length)
        {
            Array.Resize(ref _tokens, 2 * _tokens.Length);
        }
        _tokens[Length++] = token;
    }

    public void AddBlocks(ReadOnlySpan<int> blocks)
    {
        if (BlockCount + blocks.Length > _blocks.Length)
        {
            // Doubled at least, so that a long output grows it a few times only.
            Array.Resize(ref _blocks, Math.Max(2 * _blocks.Length, BlockCount + blocks.Length));
        }
        blocks.CopyTo(_blocks.AsSpan(BlockCount));
        BlockCount += blocks.Length;
    }

    /// <summary>Whether a media item stands at a position.</summary>
    public bool HasMediaAt(int position)
    {
        for (int i = 0; i < Start.Media.Count; i++)
        {
            if (position >= Start.Media[i].Position && position < Start.Media[i].Position + Start.Media[i].Length)
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>
    /// Which rows of the memory positions from <paramref name="first"/> on see, whatever else their chunk reaches: those of the last media item at or before each (Flamingo,
    /// arXiv 2204.14198, section 2.4).
    /// </summary>
    public void FillVisibleMemory(int first, Span<int> starts, Span<int> ends)
    {
        List<int> rowsEnd = Memory!.MediaEnds;
        int passed = 0;
        for (int i = 0; i < starts.Length; i++)
        {
            while (passed < rowsEnd.Count && Start.Media[passed].Position <= first + i)
            {
                passed++;
            }
            starts[i] = passed > 1 ? rowsEnd[passed - 2] : 0;
            ends[i] = passed > 0 ? rowsEnd[passed - 1] : 0;
        }
    }

    /// <summary>How many positions the one at <paramref name="position"/> sees, from the first.</summary>
    public int VisibleEnd(int position, bool prefixLm)
    {
        if (prefixLm && position < Start.PromptLength)
        {
            return Start.PromptLength;
        }
        for (int i = 0; i < Start.Media.Count; i++)
        {
            MediaSpan span = Start.Media[i];
            if (span.Bidirectional && position >= span.Position && position < span.Position + span.Length)
            {
                return span.Position + span.Length;
            }
        }
        return position + 1;
    }
}
