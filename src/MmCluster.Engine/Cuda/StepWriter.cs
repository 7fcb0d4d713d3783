using System.Runtime.InteropServices;
using MmCluster.Engine.Cpu;
using MmCluster.Tensors;

namespace MmCluster.Engine.Cuda;

/// <summary>Writes a plan's chunks, as one ragged batch, into a step's buffer.</summary>
/// <param name="slots">The stage's.</param>
/// <param name="needs">What its network reads.</param>
/// <param name="memories">What its sequences attend to; null for decoder-only networks.</param>
internal sealed class StepWriter(CpuSlot?[] slots, StepNeeds needs, CrossMemories? memories)
{
    private const int BlockSize = PagedKv.BlockSize;

    /// <summary>The layout that a plan needs; <paramref name="least"/> blocks at least in a table.</summary>
    public StepLayout Layout(in StepPlan plan, int least)
    {
        int rows = 0, jobs = 0, sampled = 0, most = 0, width = least, singles = 0;
        bool visible = false;
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            singles += chunk.Count == 1 && singles == rows ? 1 : 0;
            rows += chunk.Count;
            most = Math.Max(most, chunk.Count);
            jobs += chunk.Sample ? 1 : 0;
            sampled += chunk.Sample ? chunk.DraftCount + 1 : 0;
            width = Math.Max(width, Blocks(chunk.Start + chunk.Count));
            visible |= SeesAhead(slots[chunk.Slot]!, chunk);
        }
        return new StepLayout(rows, plan.Chunks.Length, jobs, sampled, (width + 7) & ~7, most, visible, needs, singles);
    }

    /// <summary>Words behind the layout: drafts and masks, as they lie in the plan.</summary>
    public static int TailWords(in StepPlan plan) => plan.Drafts.Length + plan.TokenMasks.Length;

    /// <summary>Writes layout and tail, and notes in <paramref name="flight"/> who is sampled.</summary>
    public void Write(in StepPlan plan, in StepLayout layout, Span<int> words, StepFlight flight)
    {
        int row = 0, job = 0, sampled = 0;
        int drafts = layout.Words;
        int masks = drafts + plan.Drafts.Length;
        plan.Drafts.Span.CopyTo(words[drafts..]);
        MemoryMarshal.Cast<uint, int>(plan.TokenMasks.Span).CopyTo(words[masks..]);
        Span<SampleJob> jobs = MemoryMarshal.Cast<int, SampleJob>(words.Slice(layout.Jobs, layout.JobCount * StepLayout.JobWords));
        ReadOnlySpan<SlotChunk> chunks = plan.Chunks.Span;
        for (int i = 0; i < chunks.Length; i++)
        {
            ref readonly SlotChunk chunk = ref chunks[i];
            CpuSlot slot = slots[chunk.Slot]!;
            int end = chunk.Start + chunk.Count;
            words[layout.Starts + i] = row;
            words[layout.Lengths + i] = end;
            slot.Blocks[..Blocks(end)].CopyTo(words[(layout.Tables + (i * layout.Width))..]);
            WriteRows(plan, slot, chunk, layout, row, words);
            WriteMemory(slot, chunk, layout, i, row, words);
            row += chunk.Count;
            if (chunk.Sample)
            {
                jobs[job++] = new SampleJob(chunk.Slot, sampled, chunk.DraftCount, drafts + chunk.DraftOffset, chunk.TokenMask is { } mask ? masks + mask : -1);
                flight.Add(slot, sampled, chunk.DraftCount);
                for (int last = row - 1 - chunk.DraftCount; last < row; last++)
                {
                    words[layout.Sampled + sampled++] = last;
                }
            }
        }
        words[layout.Starts + chunks.Length] = row;
    }

    /// <summary>Fills the rest of a decode batch of <paramref name="layout"/> up with rows of no sequence, from the one numbered <paramref name="first"/> on.</summary>
    public static void Pad(in StepLayout layout, int first, Span<int> words)
    {
        Span<SampleJob> jobs = MemoryMarshal.Cast<int, SampleJob>(words.Slice(layout.Jobs, layout.JobCount * StepLayout.JobWords));
        for (int row = first; row < layout.Rows; row++)
        {
            words[layout.Ids + row] = 0;
            words[layout.Positions + row] = 0;
            words[layout.Mapping + row] = -1;
            words[layout.Starts + row] = row;
            words[layout.Lengths + row] = 1;
            words[layout.Sampled + row] = row;
            words[layout.Tables + (row * layout.Width)] = 0;
            if (layout.Needs.TokenTypes)
            {
                words[layout.Types + row] = 0;
            }
            if (layout.Needs.MemoryBlocks > 0)
            {
                words[layout.MemoryLengths + row] = 0; // its table is not read
            }
            if (layout.Needs.MemoryByMedia)
            {
                words[layout.MemoryStarts + row] = words[layout.MemoryEnds + row] = 0;
            }
            jobs[row] = SampleJob.None;
        }
        words[layout.Starts + layout.Rows] = layout.Rows;
    }

    private void WriteMemory(CpuSlot slot, in SlotChunk chunk, in StepLayout layout, int sequence, int row, Span<int> words)
    {
        if (memories is null)
        {
            return;
        }
        words[layout.MemoryLengths + sequence] = slot.Memory!.Length;
        memories.FillTable(slot.Memory, words[(layout.MemoryTables + (sequence * memories.Blocks))..]);
        if (needs.MemoryByMedia)
        {
            slot.FillVisibleMemory(chunk.Start, words.Slice(layout.MemoryStarts + row, chunk.Count), words.Slice(layout.MemoryEnds + row, chunk.Count));
        }
    }

    private void WriteRows(in StepPlan plan, CpuSlot slot, in SlotChunk chunk, in StepLayout layout, int row, Span<int> words)
    {
        int end = chunk.Start + chunk.Count;
        int known = end - chunk.DraftCount;
        ReadOnlySpan<int> blocks = slot.Blocks;
        ReadOnlySpan<int> tokens = slot.Tokens;
        for (int position = chunk.Start; position < end; position++, row++)
        {
            words[layout.Ids + row] = position >= known ? plan.Drafts.Span[chunk.DraftOffset + position - known]
                : position < tokens.Length ? tokens[position]
                : -1 - chunk.Slot;
            words[layout.Positions + row] = position;
            words[layout.Mapping + row] = (blocks[position / BlockSize] * BlockSize) + (position % BlockSize);
            if (layout.HasEnds)
            {
                words[layout.Ends + row] = slot.VisibleEnd(position, needs.PrefixLm);
            }
        }
        row -= chunk.Count;
        if (needs.TokenTypes)
        {
            words.Slice(layout.Types + row, chunk.Count).Clear();
        }
        if (needs.MemoryByMedia)
        {
            return; // placeholders are embedded as other tokens are
        }
        for (int i = 0; i < slot.Start.Media.Count; i++)
        {
            MediaSpan span = slot.Start.Media[i];
            int first = Math.Max(span.Position, chunk.Start) - chunk.Start;
            int last = Math.Min(span.Position + span.Length, end) - chunk.Start;
            if (first < last)
            {
                // A placeholder's id may lie beyond the embedding table; its row is overwritten anyway.
                words.Slice(layout.Ids + row + first, last - first).Clear();
                if (needs.TokenTypes)
                {
                    words.Slice(layout.Types + row + first, last - first).Fill(1);
                }
            }
        }
    }

    private bool SeesAhead(CpuSlot slot, in SlotChunk chunk)
    {
        if (needs.PrefixLm && chunk.Start < slot.Start.PromptLength)
        {
            return true;
        }
        for (int i = 0; i < slot.Start.Media.Count; i++)
        {
            MediaSpan span = slot.Start.Media[i];
            if (span.Bidirectional && chunk.Start < span.Position + span.Length && span.Position < chunk.Start + chunk.Count)
            {
                return true;
            }
        }
        return false;
    }

    private static int Blocks(int length) => (length + BlockSize - 1) / BlockSize;
}
