using MmCluster.Engine.Kv;

namespace MmCluster.Engine.Scheduling;

/// <summary>
/// Decides what each step computes: running sequences in rank order (a decode's token before any prefill's chunk), then as many waiting ones as
/// seats, positions and blocks allow. When blocks are short the worst-ranked running sequence starts over later from its tokens. Sequences of a failed
/// step run alone until they are past it, so that the one at fault is found. Plain logic: no clock, no threads, no tensors.
/// </summary>
internal sealed partial class Scheduler
{
    private readonly EngineOptions _options;
    private readonly int _maxSeqs;
    private readonly int _maxTokens;
    private readonly int _stages;
    private readonly ChunkRules _rules;
    private readonly RunningList _running = new();
    private readonly HashSet<Sequence> _parked = [];
    private readonly List<Sequence> _waitingForks = [];
    private readonly SlotTable _slots;
    private Sequence? _first; // needs a whole step's budget: planned before all others

    public Scheduler(ExecutorDescription model, EngineOptions options)
    {
        _options = options;
        _maxSeqs = Math.Min(options.MaxNumSeqs, model.MaxSlots);
        _maxTokens = Math.Min(options.MaxNumBatchedTokens, model.MaxBatchedTokens);
        ArgumentOutOfRangeException.ThrowIfLessThan(_maxSeqs, 1, nameof(options.MaxNumSeqs));
        ArgumentOutOfRangeException.ThrowIfLessThan(_maxTokens, _maxSeqs, nameof(options.MaxNumBatchedTokens));
        _stages = Math.Max(1, model.PipelineDepth - (model.RunsAhead ? 1 : 0));
        Kv = new KvLedger(model.BlockCount, model.BlockSize, options.EnablePrefixCaching);
        _rules = new ChunkRules(model.Kind);
        _slots = new SlotTable(_maxSeqs);
    }

    public KvLedger Kv { get; }

    public WaitingQueue Waiting { get; } = new();

    /// <summary>Sequences of a failed step.</summary>
    public Quarantine Quarantine { get; } = new();

    public int RunningCount => _running.Count;

    public int WaitingCount => Waiting.Count + _parked.Count;

    public long Preemptions { get; private set; }

    /// <summary>Positions in one step at most.</summary>
    public int MaxTokens => _maxTokens;

    /// <summary>Puts a new sequence into the queue.</summary>
    public void Enqueue(Sequence sequence)
    {
        sequence.State = SequenceState.Waiting;
        Waiting.Add(sequence);
    }

    /// <summary>Builds the next step. False when there is nothing to send.</summary>
    /// <param name="step">Filled.</param>
    /// <param name="number">The step's number.</param>
    /// <param name="idle">Whether no other plan is in flight.</param>
    /// <param name="answered">The plan in flight whose tokens, not known yet, this one may build upon; null when there is none.</param>
    public bool Choose(StepBuilder step, long number, bool idle, long? answered)
    {
        step.Begin(number, _maxTokens);
        _slots.TellEnds(step);
        if (!PlanSuspect(step, idle))
        {
            Foresee(answered);
            PlanFirst(step);
            PlanRunning(step);
            AdmitWaiting(step);
        }
        return !step.IsEmpty;
    }

    /// <summary>Takes in how far a planned chunk came; <paramref name="accepted"/> tokens were sampled behind it, drafts included.</summary>
    public void Advance(in PlannedChunk chunk, int accepted)
    {
        Sequence sequence = chunk.Sequence;
        sequence.Computed = chunk.Start + chunk.Count - chunk.DraftCount + Math.Max(0, accepted - 1);
        if (chunk.DraftCount > 0)
        {
            sequence.Planned = sequence.Computed;
        }
        if (chunk.Sample)
        {
            sequence.Foreseen = 0;
        }
        Kv.Computed(sequence);
    }

    /// <summary>The other choices of a request may start from the prompt that this one has computed.</summary>
    public void ReleaseForks(Sequence parent)
    {
        foreach (Sequence child in parent.Request.Sequences)
        {
            if (child.State == SequenceState.AwaitingFork)
            {
                Kv.Fork(parent, child);
                _waitingForks.Add(child);
                Enqueue(child);
            }
        }
    }

    /// <summary>Publishes some of what the last steps filled.</summary>
    public void EndCommit() => Kv.PublishSome(64 + (_running.Count / 2));

    /// <summary>Takes a sequence out wherever it is and frees what it holds.</summary>
    public void Finish(Sequence sequence)
    {
        if (sequence.State == SequenceState.Finished)
        {
            return;
        }
        switch (sequence.State)
        {
            case SequenceState.Running:
                _slots.Free(sequence.Slot);
                _running.Remove(sequence);
                break;
            case SequenceState.Waiting:
                Waiting.Remove(sequence);
                _waitingForks.Remove(sequence);
                break;
            case SequenceState.Parked:
                _parked.Remove(sequence);
                break;
            case SequenceState.AwaitingFork:
                break;
            default:
                throw new System.Diagnostics.UnreachableException($"no way out of {sequence.State}");
        }
        Kv.Release(sequence);
        sequence.State = SequenceState.Finished;
        Waiting.Leave(sequence.Tenant);
        if (_first == sequence)
        {
            _first = null;
        }
    }

    /// <summary>Media of a parked sequence may have become ready.</summary>
    public void Unpark(Sequence sequence)
    {
        if (sequence.State == SequenceState.Parked)
        {
            _parked.Remove(sequence);
            Enqueue(sequence);
        }
    }

    /// <summary>After a failed step: no slot and no block content is left; everything that ran starts over from its tokens.</summary>
    public void Reset()
    {
        foreach (Sequence sequence in _running)
        {
            Kv.Release(sequence, contentIsGood: false);
            Enqueue(sequence);
        }
        _running.Clear();
        StripForks();
        Kv.ForgetAll();
        _slots.Reset();
    }

    private bool PlanSuspect(StepBuilder step, bool idle)
    {
        if (Quarantine.IsEmpty)
        {
            return false;
        }
        if (!idle)
        {
            return true;
        }
        foreach (Sequence sequence in Quarantine.Sequences)
        {
            if (sequence.State == SequenceState.Running ? PlanOne(step, sequence, step.Budget)
                : sequence.State == SequenceState.Waiting && Admit(step, sequence) == Admission.Started)
            {
                return true;
            }
        }
        return false;
    }

    // Drafts depend on the tokens before them, so with speculation every sequence waits for its result.
    private void Foresee(long? answered)
    {
        if (answered is not { } plan || _options.SpeculativeTokens > 0)
        {
            return;
        }
        foreach (Sequence sequence in _running)
        {
            if (sequence.LastPlannedStep == plan && sequence.Pending == 0 && sequence.Output.MayRunAhead)
            {
                sequence.Foreseen = 1;
            }
        }
    }

    private void PlanFirst(StepBuilder step)
    {
        if (_first is { } first)
        {
            _first = null;
            if (first.State == SequenceState.Running)
            {
                PlanOne(step, first, step.Budget);
            }
            else if (first.State == SequenceState.Waiting && _running.Count < _maxSeqs)
            {
                Admit(step, first);
            }
        }
    }

    private void PlanRunning(StepBuilder step)
    {
        int reserved = 0;
        foreach (Sequence sequence in _running)
        {
            reserved += sequence.Pending == 1 ? 1 : 0;
        }
        // A pipeline is kept full by spreading the sequences over its plans.
        int seats = (_running.Count + _stages - 1) / _stages;
        for (int i = 0; i < _running.Count && step.Budget > 0; i++)
        {
            Sequence sequence = _running[i];
            bool single = sequence.Pending == 1;
            reserved -= single ? 1 : 0;
            if (sequence.Pending > 0 && sequence.LastPlannedStep != step.Step && step.Planned.Count < seats)
            {
                PlanOne(step, sequence, single ? Math.Max(1, step.Budget - reserved) : step.Budget - reserved);
            }
        }
    }

    // Plans the next chunk of a running sequence within so many positions.
    private bool PlanOne(StepBuilder step, Sequence sequence, int budget)
    {
        int end = EndOf(step, sequence, budget);
        if (end <= sequence.Planned)
        {
            return false;
        }
        int reach = MakeRoom(step, sequence, end);
        end = reach < end ? _rules.EndOf(sequence, reach - sequence.Planned) : end;
        if (end <= sequence.Planned)
        {
            return false;
        }
        int drafts = end == sequence.Length ? DraftsFor(step, sequence, Math.Min(budget, step.Budget) - (end - sequence.Planned)) : 0;
        Kv.Grow(sequence, end + drafts);
        step.Add(sequence, end, drafts);
        return true;
    }

    private int EndOf(StepBuilder step, Sequence sequence, int budget)
    {
        int end = _rules.EndOf(sequence, Math.Clamp(budget, 0, step.Budget));
        // Any budget moves text forward; a span that must be whole may need the step to itself.
        if (end <= sequence.Planned && ChunkRules.LeastEnd(sequence) - sequence.Planned > 1 && IsReady(sequence))
        {
            _first ??= sequence;
        }
        return end;
    }

    private bool IsReady(Sequence sequence) => _rules.EndOf(sequence, _maxTokens) > sequence.Planned;

    // The position up to which blocks can be had, preempting worse-ranked sequences if there would be no progress otherwise.
    private int MakeRoom(StepBuilder step, Sequence sequence, int end)
    {
        int needed = Kv.Lacking(sequence, end);
        if (needed > Kv.Pool.FreeCount)
        {
            StripForks();
        }
        int leastNeeded = Kv.Lacking(sequence, ChunkRules.LeastEnd(sequence));
        for (int i = _running.Count - 1; i >= 0 && Kv.Pool.FreeCount < leastNeeded; i--)
        {
            Sequence victim = _running[i];
            if (!victim.RanksBehind(sequence))
            {
                break;
            }
            if (victim.LastPlannedStep != step.Step)
            {
                Preempt(step, victim);
            }
        }
        return needed <= Kv.Pool.FreeCount
            ? end
            : Math.Min(end, (sequence.BlockCount + Kv.Pool.FreeCount) * Kv.BlockSize);
    }

    private void Preempt(StepBuilder step, Sequence victim)
    {
        Preemptions++;
        _slots.Free(victim.Slot, step);
        _running.Remove(victim);
        Kv.Release(victim);
        Enqueue(victim);
    }

    private int DraftsFor(StepBuilder step, Sequence sequence, int room)
    {
        if (_options.SpeculativeTokens == 0 || room <= 0)
        {
            return 0;
        }
        int blockRoom = ((sequence.BlockCount + Kv.Pool.FreeCount) * Kv.BlockSize) - sequence.Length;
        int limit = Math.Min(Math.Min(_options.SpeculativeTokens, room), Math.Min(blockRoom, sequence.LengthLimit - sequence.Length - 1));
        return limit <= 0 ? 0 : sequence.Output.Draft(sequence, step.Drafts, limit, _options);
    }
}
