namespace MmCluster.Engine.Scheduling;

// How waiting sequences start.
internal sealed partial class Scheduler
{
    private void AdmitWaiting(StepBuilder step)
    {
        while (_running.Count < _maxSeqs && step.Budget > 0 && Waiting.Peek() is { } sequence)
        {
            if (Admit(step, sequence) == Admission.NoRoom)
            {
                break;
            }
        }
    }

    private Admission Admit(StepBuilder step, Sequence sequence)
    {
        if (sequence.BlockCount == 0)
        {
            Kv.Adopt(sequence);
        }
        int end = EndOf(step, sequence, step.Budget);
        if (end <= sequence.Planned)
        {
            bool ready = IsReady(sequence);
            Withdraw(sequence);
            if (!ready)
            {
                Waiting.Remove(sequence);
                sequence.State = SequenceState.Parked;
                _parked.Add(sequence);
            }
            return ready ? Admission.NoRoom : Admission.Parked;
        }
        if (WantedBlocks(sequence, end) > Kv.Pool.FreeCount && _running.Count == 0)
        {
            StripForks();
            if (sequence.BlockCount == 0)
            {
                Kv.Adopt(sequence);
                end = EndOf(step, sequence, step.Budget);
            }
        }
        if (end <= sequence.Planned || WantedBlocks(sequence, end) > Kv.Pool.FreeCount)
        {
            Withdraw(sequence);
            return Admission.NoRoom;
        }
        Start(step, sequence, end);
        return Admission.Started;
    }

    // Room for all of it and a little more, or sequences would start only to push each other out.
    private int WantedBlocks(Sequence sequence, int end) => _running.Count == 0
        ? Kv.Lacking(sequence, end)
        : Kv.Lacking(sequence, sequence.Length) + (Kv.Pool.Count / 100);

    // Gives back what the look-up took; a fork keeps what it holds.
    private void Withdraw(Sequence sequence)
    {
        if (!_waitingForks.Contains(sequence))
        {
            Kv.Release(sequence);
        }
    }

    private void Start(StepBuilder step, Sequence sequence, int end)
    {
        Waiting.Start(sequence);
        _waitingForks.Remove(sequence);
        if (sequence.CachedAtStart is null)
        {
            sequence.CachedAtStart = sequence.Planned;
            Kv.CountLookup(sequence);
        }
        if (sequence.HoldsForkedPartial)
        {
            step.Copies.Add(Kv.OwnPartial(sequence));
        }
        sequence.State = SequenceState.Running;
        sequence.Slot = _slots.Take();
        step.Starts.Add(SlotStarts.Of(sequence));
        _running.Add(sequence);
        Kv.Grow(sequence, end);
        step.Add(sequence, end, drafts: 0);
    }

    // Forks that wait give their shared blocks back and will look their prompt up like anybody else.
    private void StripForks()
    {
        foreach (Sequence fork in _waitingForks)
        {
            Kv.Release(fork);
        }
        _waitingForks.Clear();
    }
}
