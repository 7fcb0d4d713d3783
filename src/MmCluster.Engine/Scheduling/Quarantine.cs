namespace MmCluster.Engine.Scheduling;

/// <summary>Sequences that were in a failed step: each runs alone until it has come further than it was, or failed by itself.</summary>
internal sealed class Quarantine
{
    private readonly List<Sequence> _suspects = [];

    /// <summary>Whether nobody is suspected any more; forgets those that are past their failure or finished.</summary>
    public bool IsEmpty
    {
        get
        {
            for (int i = _suspects.Count - 1; i >= 0; i--)
            {
                if (_suspects[i].State == SequenceState.Finished || _suspects[i].Length > _suspects[i].SuspectLength)
                {
                    _suspects.RemoveAt(i);
                }
            }
            return _suspects.Count == 0;
        }
    }

    public IReadOnlyList<Sequence> Sequences => _suspects;

    public void Add(Sequence sequence)
    {
        sequence.SuspectLength = sequence.Length;
        if (!_suspects.Contains(sequence))
        {
            _suspects.Add(sequence);
        }
    }
}
