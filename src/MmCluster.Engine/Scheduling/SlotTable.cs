namespace MmCluster.Engine.Scheduling;

/// <summary>Slots nobody holds, and those whose end the executor has yet to be told. A slot may be taken at once: ends come first in a plan.</summary>
internal sealed class SlotTable
{
    private readonly int _count;
    private readonly Stack<int> _free = new();
    private readonly PlanList<int> _ends = new();

    public SlotTable(int count)
    {
        _count = count;
        Reset();
    }

    public int Take() => _free.Pop();

    /// <summary>Gives a slot back between two steps.</summary>
    public void Free(int slot)
    {
        _free.Push(slot);
        _ends.Add(slot);
    }

    /// <summary>Gives a slot back while <paramref name="step"/> is being built.</summary>
    public void Free(int slot, StepBuilder step)
    {
        _free.Push(slot);
        step.Ends.Add(slot);
    }

    /// <summary>Hands the ends since the last step over.</summary>
    public void TellEnds(StepBuilder step)
    {
        _ends.Span.CopyTo(step.Ends.Take(_ends.Count));
        _ends.Clear();
    }

    /// <summary>All slots are free and the executor knows.</summary>
    public void Reset()
    {
        _ends.Clear();
        _free.Clear();
        for (int slot = _count - 1; slot >= 0; slot--)
        {
            _free.Push(slot);
        }
    }
}
