using MmCluster.Tensors;

namespace MmCluster.Engine.Simulation;

/// <summary>
/// An executor without weights: takes the time that its profile says and gives tokens that depend on the whole history through real block tables.
/// Each KV position holds the model's running state, so a wrong block gives wrong tokens. With a <see cref="VirtualTime"/> it moves the
/// clock itself; with any other it waits. A pipeline's depth is its number of equal shards, which compute different steps at the same time. Allocates nothing a step once its slots have grown.
/// </summary>
public sealed class SimulatedExecutor : IModelExecutor
{
    private readonly SimulationProfile _profile;
    private readonly TimeProvider _time;
    private readonly Func<Tensor, ulong> _mediaIdentity;
    private readonly SimulatedSlot?[] _slots;
    private readonly ulong[] _kv;
    private readonly SimulatedPipeline _pipeline;
    private readonly ManualResetEventSlim _elapsed = new();

    /// <summary>Creates an executor.</summary>
    /// <param name="profile">Times and sizes.</param>
    /// <param name="time">The clock; a <see cref="VirtualTime"/> is advanced by each step.</param>
    /// <param name="mediaIdentity">What a media item's features are, as a number; null treats all as equal.</param>
    public SimulatedExecutor(SimulationProfile profile, TimeProvider time, Func<Tensor, ulong>? mediaIdentity = null)
    {
        _profile = profile;
        _time = time;
        _mediaIdentity = mediaIdentity ?? (_ => 1);
        _pipeline = new SimulatedPipeline(profile.PipelineDepth);
        _slots = new SimulatedSlot?[profile.MaxSlots];
        _kv = new ulong[(long)profile.BlockCount * BlockSize];
    }

    private const int BlockSize = 16;

    /// <summary>Whether each chunk checks all of its context in the KV, for tests: an error names the position.</summary>
    internal bool VerifyContext { get; init; }

    /// <inheritdoc/>
    public ExecutorDescription Describe() => new(
        _profile.VocabularySize, _profile.MaxModelLength, BlockSize, _profile.BlockCount, BlockSize * sizeof(ulong), _profile.MaxSlots, _profile.MaxBatchedTokens)
    {
        PipelineDepth = _profile.PipelineDepth,
        KvFormat = "simulated",
    };

    /// <inheritdoc/>
    public void Execute(in StepPlan plan, StepResult result)
    {
        result.Clear();
        try
        {
            Answer(plan, result);
        }
        catch
        {
            DropAll();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _elapsed.Dispose();

    /// <summary>Drops all slots and plans in flight, as an executor does that failed a step.</summary>
    internal void DropAll()
    {
        Array.Clear(_slots);
        _pipeline.Clear();
        Array.Clear(_kv);
    }

    private void Answer(in StepPlan plan, StepResult result)
    {
        Prepare(plan);
        if (plan.Chunks.Length > 0)
        {
            StepResult own = _pipeline.Begin();
            TimeSpan duration = Compute(plan, own);
            PassUntil(_pipeline.Send(_time.GetUtcNow(), duration));
        }
        if (_pipeline.IsFull || plan.Chunks.Length == 0)
        {
            if (_pipeline.TryTake(result) is { } end)
            {
                PassUntil(end);
            }
        }
    }

    private void Prepare(in StepPlan plan)
    {
        foreach (int slot in plan.Ends.Span)
        {
            _slots[slot] = null;
        }
        foreach (SlotStart start in plan.Starts.Span)
        {
            _slots[start.Slot] = _slots[start.Slot] is null
                ? new SimulatedSlot(start)
                : throw new InvalidOperationException($"slot {start.Slot} is in use");
        }
        foreach (BlockCopy copy in plan.Copies.Span)
        {
            _kv.AsSpan(copy.Source * BlockSize, BlockSize).CopyTo(_kv.AsSpan(copy.Target * BlockSize));
        }
    }

    // What the step gives, and how long all of it takes.
    private TimeSpan Compute(in StepPlan plan, StepResult result)
    {
        long positions = 0;
        long context = 0;
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            SimulatedSlot slot = _slots[chunk.Slot] ?? throw new InvalidOperationException($"slot {chunk.Slot} is empty");
            foreach (int block in plan.Blocks.Span.Slice(chunk.BlockOffset, chunk.BlockCount))
            {
                slot.Blocks.Add(block);
            }
            Compute(slot, chunk, plan, result);
            positions += chunk.Count;
            context += chunk.Start + chunk.Count;
        }
        result.Step = plan.Step;
        return _profile.StepTime(positions, context);
    }

    private void Compute(SimulatedSlot slot, in SlotChunk chunk, in StepPlan plan, StepResult result)
    {
        ReadOnlySpan<int> drafts = plan.Drafts.Span.Slice(chunk.DraftOffset, chunk.DraftCount);
        int known = chunk.Start + chunk.Count - drafts.Length;
        if (VerifyContext)
        {
            Verify(slot, chunk.Start);
        }
        for (int position = chunk.Start; position < chunk.Start + chunk.Count; position++)
        {
            ulong before = position == 0 ? SimulatedModel.Start(slot.Source.Adapter) : _kv[slot.Address(position - 1, BlockSize)];
            int token = position < known ? slot.Tokens[position] : drafts[position - known];
            _kv[slot.Address(position, BlockSize)] = SimulatedModel.Next(before, token, MediaAt(slot.Source, position));
        }
        if (!chunk.Sample)
        {
            return;
        }
        result.BeginChunk(chunk.Slot);
        int words = (_profile.VocabularySize + 31) / 32;
        for (int i = 0; i <= drafts.Length; i++)
        {
            ReadOnlySpan<uint> mask = chunk.TokenMask is { } word ? plan.TokenMasks.Span.Slice(word + (i * words), words) : default;
            int token = Sample(slot, known - 1 + i, mask);
            slot.Tokens.Add(token);
            if (slot.Source.Sampling.Logprobs is { } count)
            {
                result.Add(token, -1, [.. Enumerable.Range(0, count).Select(rank => new TokenLogprob(rank, -1 - rank))]);
            }
            else
            {
                result.Add(token);
            }
            if (i == drafts.Length || token != drafts[i])
            {
                break;
            }
        }
    }

    private void Verify(SimulatedSlot slot, int length)
    {
        ulong state = SimulatedModel.Start(slot.Source.Adapter);
        for (int position = 0; position < length; position++)
        {
            ulong held = _kv[slot.Address(position, BlockSize)];
            // A cached item may be used before its features are there again.
            bool unknown = slot.Source.Media.Any(
                span => span.Position <= position && position < span.Position + span.Length && !span.Features.IsCompletedSuccessfully);
            state = unknown ? held : SimulatedModel.Next(state, slot.Tokens[position], MediaAt(slot.Source, position));
            if (held != state)
            {
                throw new InvalidOperationException($"slot {slot.Source.Slot}: position {position} holds another sequence's KV");
            }
        }
    }

    private int Sample(SimulatedSlot slot, int last, ReadOnlySpan<uint> mask)
    {
        int position = last + 1 - slot.Source.PromptLength;
        SamplingParameters sampling = slot.Source.Sampling;
        int token = SimulatedModel.Sample(_kv[slot.Address(last, BlockSize)], sampling, slot.Source.Choice, position, _profile.VocabularySize);
        for (int tries = 0; tries < _profile.VocabularySize; tries++)
        {
            bool early = position < sampling.MinTokens && slot.Source.StopTokenIds.Span.Contains(token);
            if (!early && (mask.IsEmpty || (mask[token / 32] >> (token % 32) & 1) != 0))
            {
                break;
            }
            token = (token + 1) % _profile.VocabularySize;
        }
        return token;
    }

    private ulong? MediaAt(SlotStart start, int position)
    {
        for (int i = 0; i < start.Media.Count; i++)
        {
            MediaSpan span = start.Media[i];
            if (position >= span.Position && position < span.Position + span.Length)
            {
                return span.Features.IsCompletedSuccessfully
                    ? _mediaIdentity(span.Features.GetAwaiter().GetResult()) + (ulong)(position - span.Position)
                    : throw new InvalidOperationException($"the features at position {position} are not ready");
            }
        }
        return null;
    }

    private void PassUntil(DateTimeOffset end)
    {
        TimeSpan duration = end - _time.GetUtcNow();
        if (duration <= TimeSpan.Zero)
        {
            return;
        }
        if (_time is VirtualTime virtualTime)
        {
            virtualTime.Advance(duration);
            return;
        }
        _elapsed.Reset();
        using ITimer timer = _time.CreateTimer(state => ((ManualResetEventSlim)state!).Set(), _elapsed, duration, Timeout.InfiniteTimeSpan);
        _elapsed.Wait();
    }

    private sealed class SimulatedSlot(SlotStart source)
    {
        public SlotStart Source { get; } = source;

        public List<int> Tokens { get; } = [.. source.Tokens.Span];

        public List<int> Blocks { get; } = [];

        public int Address(int position, int blockSize) => (Blocks[position / blockSize] * blockSize) + (position % blockSize);
    }
}
