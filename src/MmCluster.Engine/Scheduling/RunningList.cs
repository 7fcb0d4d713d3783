namespace MmCluster.Engine.Scheduling;

/// <summary>The sequences that hold a slot, best rank first.</summary>
internal sealed class RunningList
{
    private readonly List<Sequence> _sequences = [];

    public int Count => _sequences.Count;

    public Sequence this[int index] => _sequences[index];

    public List<Sequence>.Enumerator GetEnumerator() => _sequences.GetEnumerator();

    public void Add(Sequence sequence) => _sequences.Insert(PlaceOf(sequence), sequence);

    public void Remove(Sequence sequence) => _sequences.RemoveAt(PlaceOf(sequence));

    public void Clear() => _sequences.Clear();

    // Ranks are unique, so a binary search finds a sequence or the place it belongs to.
    private int PlaceOf(Sequence sequence)
    {
        int low = 0;
        for (int high = _sequences.Count; low < high;)
        {
            int middle = (low + high) / 2;
            if (sequence.RanksBehind(_sequences[middle]))
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }
        return low;
    }
}
