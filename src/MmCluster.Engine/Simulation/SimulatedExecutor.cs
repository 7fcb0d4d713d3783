using System.Runtime.InteropServices;
using MmCluster.Tensors;

namespace MmCluster.Engine.Simulation;

/// <summary>
/// An executor without weights: takes the time that its profile says and gives tokens that depend on the whole history through real block tables, one set a
/// pipeline shard. A plan moves on by one shard whenever the next comes, as in a pipeline; tokens do not depend on the number of shards. It holds the caller to
/// the contract: a chunk reaches only tokens that are known, or may be foreseen. With a <see cref="VirtualTime"/> it moves the clock itself; with any
/// other it waits. Allocates nothing a step once its slots have grown.
/// </summary>
public sealed class SimulatedExecutor : IModelExecutor
{
    private const int BlockSize = 16;

    private readonly SimulationProfile _profile;
    private readonly TimeProvider _time;
    private readonly Func<Tensor, ulong> _mediaIdentity;
    private readonly SimulatedSlot?[] _slots;
    private readonly SimulatedShard[] _shards;
    private readonly SimulatedPipeline _pipeline;
    private readonly int _depth;
    private readonly List<SimulatedStep> _steps = []; // in flight, oldest first
    private readonly Stack<SimulatedStep> _spare = new();
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
        _slots = new SimulatedSlot?[profile.MaxSlots];
        _shards = [.. Enumerable.Range(0, profile.PipelineDepth).Select(_ => new SimulatedShard(profile.MaxSlots, profile.BlockCount, BlockSize))];
        _pipeline = new SimulatedPipeline(profile.PipelineDepth);
        _depth = profile.PipelineDepth + (profile.RunsAhead ? 1 : 0);
    }

    /// <summary>Whether each chunk checks all of its context in the KV of each shard, for tests: an error names the position.</summary>
    internal bool VerifyContext { get; init; }

    /// <inheritdoc/>
    public ExecutorDescription Describe() => new(
        _profile.VocabularySize, _profile.MaxModelLength, BlockSize, _profile.BlockCount, BlockSize * sizeof(ulong), _profile.MaxSlots, _profile.MaxBatchedTokens)
    {
        PipelineDepth = _depth,
        RunsAhead = _profile.RunsAhead,
        KvFormat = "simulated",
    };

    /// <inheritdoc/>
    public void Execute(in StepPlan plan, StepResult result)
    {
        result.Clear();
        try
        {
            Enter(plan);
            if (NextAnswer(plan.Chunks.Length == 0) is { } answer)
            {
                Give(answer, result);
            }
            Retire();
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
        foreach (SimulatedShard shard in _shards)
        {
            shard.Drop();
        }
        _steps.Clear();
        _pipeline.Clear();
    }

    // The plan enters the first shard, all others move on by one.
    private void Enter(in StepPlan plan)
    {
        SimulatedStep entering = _spare.TryPop(out SimulatedStep? used) ? used : new SimulatedStep();
        entering.Begin(plan);
        _steps.Add(entering);
        foreach (SimulatedStep step in _steps)
        {
            Pass(step);
        }
        if (entering.HasChunks)
        {
            Schedule(entering);
        }
    }

    // The caller is the first shard's, unless steps are sent ahead.
    private void Schedule(SimulatedStep step)
    {
        long context = 0;
        foreach (ref readonly SlotChunk chunk in step.Plan.Chunks.Span)
        {
            context += chunk.Start + chunk.Count;
        }
        (DateTimeOffset first, step.Due) = _pipeline.Send(_time.GetUtcNow(), _profile.StepTime(step.Inputs.Count, context));
        if (!_profile.RunsAhead)
        {
            PassUntil(first);
        }
    }

    private SimulatedStep? NextAnswer(bool drain)
    {
        int inFlight = 0;
        SimulatedStep? oldest = null;
        foreach (SimulatedStep step in _steps)
        {
            inFlight += step.HasChunks ? 1 : 0;
            oldest ??= step.HasChunks ? step : null;
        }
        return drain || inFlight == _depth ? oldest : null;
    }

    private void Give(SimulatedStep step, StepResult result)
    {
        while (step.Passed < _shards.Length)
        {
            foreach (SimulatedStep earlier in _steps)
            {
                Pass(earlier);
                if (earlier == step)
                {
                    break;
                }
            }
        }
        int sampled = 0;
        for (int i = 0; i < step.Slots.Count; i++)
        {
            if (step.Plan.Chunks.Span[i].Sample)
            {
                step.Slots[i].Known += step.Result.Chunks[sampled++].TokenCount;
            }
        }
        result.CopyFrom(step.Result);
        _steps.Remove(step);
        _spare.Push(step);
        PassUntil(step.Due);
    }

    // Ends that have reached all shards.
    private void Retire()
    {
        while (_steps.Count > 0 && !_steps[0].HasChunks && _steps[0].Passed == _shards.Length)
        {
            _spare.Push(_steps[0]);
            _steps.RemoveAt(0);
        }
    }

    private void Pass(SimulatedStep step)
    {
        if (step.Passed == _shards.Length)
        {
            return;
        }
        SimulatedShard shard = _shards[step.Passed];
        StepPlan plan = step.Plan;
        shard.Prepare(CollectionsMarshal.AsSpan(step.Ends), plan.Starts.Span, plan.Copies.Span);
        if (step.Passed == 0)
        {
            Prepare(step);
        }
        int row = 0;
        for (int i = 0; i < plan.Chunks.Length; i++)
        {
            SlotChunk chunk = plan.Chunks.Span[i];
            SimulatedSlot slot = step.Slots[i];
            shard.Compute(
                chunk,
                plan.Blocks.Span.Slice(chunk.BlockOffset, chunk.BlockCount),
                SimulatedModel.Start(slot.Source.Adapter),
                CollectionsMarshal.AsSpan(step.Inputs).Slice(row, chunk.Count));
            row += chunk.Count;
            if (VerifyContext)
            {
                Verify(shard, slot, chunk.Start);
            }
        }
        if (++step.Passed == _shards.Length)
        {
            Sample(step, shard);
        }
    }

    private void Prepare(SimulatedStep step)
    {
        StepPlan plan = step.Plan;
        foreach (int slot in step.Ends)
        {
            _slots[slot] = null;
        }
        foreach (SlotStart start in plan.Starts.Span)
        {
            _slots[start.Slot] = new SimulatedSlot(start);
        }
        foreach (ref readonly SlotChunk chunk in plan.Chunks.Span)
        {
            SimulatedSlot slot = _slots[chunk.Slot] ?? throw new InvalidOperationException($"slot {chunk.Slot} is empty");
            step.Slots.Add(slot);
            ReadOnlySpan<int> drafts = plan.Drafts.Span.Slice(chunk.DraftOffset, chunk.DraftCount);
            int known = chunk.Start + chunk.Count - drafts.Length;
            CheckKnown(slot, chunk, known);
            for (int position = chunk.Start; position < chunk.Start + chunk.Count; position++)
            {
                int token = position < known ? slot.Tokens[position] : drafts[position - known];
                step.Inputs.Add(SimulatedModel.Input(token, MediaAt(slot.Source, position)));
            }
        }
    }

    private void CheckKnown(SimulatedSlot slot, in SlotChunk chunk, int end)
    {
        bool ahead = _profile.RunsAhead && end == slot.Known + 1 && chunk.Count == 1 && chunk.DraftCount == 0 && chunk.TokenMask is null;
        if (end > slot.Tokens.Count || (end > slot.Known && !ahead))
        {
            throw new InvalidOperationException($"slot {chunk.Slot}: the token at position {end - 1} is not known yet");
        }
    }

    private void Sample(SimulatedStep step, SimulatedShard last)
    {
        StepPlan plan = step.Plan;
        if (!step.HasChunks)
        {
            return;
        }
        step.Result.Step = plan.Step;
        for (int i = 0; i < plan.Chunks.Length; i++)
        {
            if (plan.Chunks.Span[i].Sample)
            {
                step.Result.BeginChunk(plan.Chunks.Span[i].Slot);
                Sample(step.Slots[i], plan.Chunks.Span[i], plan, last, step.Result);
            }
        }
    }

    private void Sample(SimulatedSlot slot, in SlotChunk chunk, in StepPlan plan, SimulatedShard last, StepResult result)
    {
        ReadOnlySpan<int> drafts = plan.Drafts.Span.Slice(chunk.DraftOffset, chunk.DraftCount);
        int known = chunk.Start + chunk.Count - drafts.Length;
        int words = (_profile.VocabularySize + 31) / 32;
        for (int i = 0; i <= drafts.Length; i++)
        {
            ReadOnlySpan<uint> mask = chunk.TokenMask is { } word ? plan.TokenMasks.Span.Slice(word + (i * words), words) : default;
            int token = Sample(slot.Source, last.StateAt(chunk.Slot, known - 1 + i), known + i - slot.Source.PromptLength, mask);
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

    private int Sample(SlotStart source, ulong state, int position, ReadOnlySpan<uint> mask)
    {
        int token = SimulatedModel.Sample(state, source.Sampling, source.Choice, position, _profile.VocabularySize);
        for (int tries = 0; tries < _profile.VocabularySize; tries++)
        {
            bool early = position < source.Sampling.MinTokens && source.StopTokenIds.Span.Contains(token);
            if (!early && (mask.IsEmpty || (mask[token / 32] >> (token % 32) & 1) != 0))
            {
                break;
            }
            token = (token + 1) % _profile.VocabularySize;
        }
        return token;
    }

    private void Verify(SimulatedShard shard, SimulatedSlot slot, int length)
    {
        ulong state = SimulatedModel.Start(slot.Source.Adapter);
        for (int position = 0; position < length; position++)
        {
            ulong held = shard.StateAt(slot.Source.Slot, position);
            // A cached item may be used before its features are there again.
            bool unknown = slot.Source.Media.Any(
                span => span.Position <= position && position < span.Position + span.Length && !span.Features.IsCompletedSuccessfully);
            state = unknown ? held : SimulatedModel.Next(state, SimulatedModel.Input(slot.Tokens[position], MediaAt(slot.Source, position)));
            if (held != state)
            {
                throw new InvalidOperationException($"slot {slot.Source.Slot}: position {position} holds another sequence's KV");
            }
        }
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
        }
        else
        {
            _elapsed.Reset();
            using ITimer timer = _time.CreateTimer(state => ((ManualResetEventSlim)state!).Set(), _elapsed, duration, Timeout.InfiniteTimeSpan);
            _elapsed.Wait();
        }
    }
}
