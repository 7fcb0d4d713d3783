using System.Buffers;
using MmCluster.Engine.Scheduling;

namespace MmCluster.Engine.Pipeline.Wire;

/// <summary>
/// A plan on its way along the shards: step i64, then as counted runs: ends, copies, chunks (nine i32 each), new block ids, drafts, grammar masks, starts, and the
/// slots that shards before found at fault. A reader keeps its memory from plan to plan.
/// </summary>
internal sealed class PlanReader(ExecutorDescription model)
{
    private const int ChunkInts = 9;

    private readonly PlanList<int> _ends = new();
    private readonly PlanList<SlotStart> _starts = new();
    private readonly PlanList<BlockCopy> _copies = new();
    private readonly PlanList<SlotChunk> _chunks = new();
    private readonly PlanList<int> _blocks = new();
    private readonly PlanList<int> _drafts = new();
    private readonly PlanList<uint> _masks = new();

    /// <summary>Rows that the plan's chunks compute.</summary>
    public int RowCount { get; private set; }

    public static void Write(IBufferWriter<byte> target, in StepPlan plan, IReadOnlyList<SlotFailure> failures)
    {
        target.Put(plan.Step);
        target.PutAll(plan.Ends.Span);
        target.PutAll(plan.Copies.Span);
        target.Put(plan.Chunks.Length);
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            Write(target, chunk);
        }
        target.PutAll(plan.Blocks.Span);
        target.PutAll(plan.Drafts.Span);
        target.PutAll(plan.TokenMasks.Span);
        target.Put(plan.Starts.Length);
        foreach (SlotStart start in plan.Starts.Span)
        {
            SlotStartCodec.Write(target, start);
        }
        FailureCodec.WriteAll(target, failures);
    }

    /// <summary>The plan, valid until the next call; slots at fault are added to <paramref name="result"/>.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or names slots or blocks that there are not.</exception>
    public StepPlan Read(ref WireReader source, StepResult result)
    {
        long step = source.Long();
        Copy(_ends, source.All<int>(model.MaxSlots, "ends"));
        Copy(_copies, source.All<BlockCopy>(model.BlockCount, "copies"));
        ReadOnlySpan<int> chunks = ReadChunks(ref source);
        Copy(_blocks, source.All<int>(model.BlockCount, "blocks"));
        Copy(_drafts, source.All<int>(model.MaxBatchedTokens, "drafts"));
        Copy(_masks, source.All<uint>(checked(model.MaxBatchedTokens * MaskWords), "mask words"));
        _chunks.Clear();
        RowCount = 0;
        for (int at = 0; at < chunks.Length; at += ChunkInts)
        {
            Add(chunks.Slice(at, ChunkInts));
        }
        _starts.Clear();
        for (int count = source.Count(model.MaxSlots, "starts"); count > 0; count--)
        {
            _starts.Add(SlotStartCodec.Read(ref source, model));
        }
        FailureCodec.ReadAll(ref source, model.MaxSlots, result);
        source.End();
        CheckNumbers();
        return new StepPlan(step, _ends.Memory, _starts.Memory, _copies.Memory, _chunks.Memory, _blocks.Memory, _drafts.Memory, _masks.Memory);
    }

    private int MaskWords => (model.VocabularySize + 31) / 32;

    private static void Write(IBufferWriter<byte> target, in SlotChunk chunk)
    {
        target.Put(chunk.Slot);
        target.Put(chunk.Start);
        target.Put(chunk.Count);
        target.Put(chunk.BlockOffset);
        target.Put(chunk.BlockCount);
        target.Put(chunk.DraftOffset);
        target.Put(chunk.DraftCount);
        target.Put(chunk.Sample ? 1 : 0);
        target.Put(chunk.TokenMask ?? -1);
    }

    private ReadOnlySpan<int> ReadChunks(ref WireReader source)
    {
        int count = source.Count(model.MaxSlots, "chunks");
        return source.Run<int>(count * ChunkInts);
    }

    private void Add(ReadOnlySpan<int> ints)
    {
        SlotChunk chunk = new(ints[0], ints[1], ints[2], ints[3], ints[4], ints[5], ints[6], ints[7] != 0, ints[8] < 0 ? null : ints[8]);
        bool fits = (uint)chunk.Slot < (uint)model.MaxSlots && chunk.Start >= 0 && chunk.Count > 0
            && chunk.Count <= model.MaxBatchedTokens - RowCount && chunk.Start <= model.MaxModelLength - chunk.Count
            && IsRun(chunk.BlockOffset, chunk.BlockCount, _blocks.Count) && IsRun(chunk.DraftOffset, chunk.DraftCount, _drafts.Count)
            && chunk.DraftCount < chunk.Count
            && (chunk.TokenMask is not { } mask || IsRun(mask, (chunk.DraftCount + 1) * MaskWords, _masks.Count));
        if (!fits)
        {
            throw WireReader.Bad($"{chunk} does not fit the shard");
        }
        _chunks.Add(chunk);
        RowCount += chunk.Count;
    }

    private void CheckNumbers()
    {
        bool slots = _ends.Span.IndexOfAnyExceptInRange(0, model.MaxSlots - 1) < 0;
        bool blocks = _blocks.Span.IndexOfAnyExceptInRange(0, model.BlockCount - 1) < 0;
        foreach (BlockCopy copy in _copies.Span)
        {
            blocks &= (uint)copy.Source < (uint)model.BlockCount && (uint)copy.Target < (uint)model.BlockCount;
        }
        if (!slots || !blocks)
        {
            throw WireReader.Bad($"a slot of {model.MaxSlots} or a block of {model.BlockCount} that there is not");
        }
    }

    private static bool IsRun(int offset, int count, int length) => offset >= 0 && count >= 0 && offset <= length - count;

    private static void Copy<T>(PlanList<T> target, ReadOnlySpan<T> values)
    {
        target.Clear();
        values.CopyTo(target.Take(values.Length));
    }
}
