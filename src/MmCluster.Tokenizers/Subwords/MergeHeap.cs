namespace MmCluster.Tokenizers.Subwords;

/// <summary>A possible merge of the symbol at <paramref name="Position"/> with its right neighbour.</summary>
internal readonly record struct Merge(int Rank, int Position, int Id);

/// <summary>A binary heap of merges: lowest rank first, then leftmost. Not thread-safe.</summary>
internal sealed class MergeHeap
{
    private Merge[] _items = new Merge[64];
    private int _count;

    /// <summary>Removes everything.</summary>
    public void Clear() => _count = 0;

    /// <summary>Adds a merge.</summary>
    public void Push(Merge merge)
    {
        if (_count == _items.Length)
        {
            Array.Resize(ref _items, _count * 2);
        }
        int at = _count++;
        while (at > 0)
        {
            int parent = (at - 1) >> 1;
            if (!Before(merge, _items[parent]))
            {
                break;
            }
            _items[at] = _items[parent];
            at = parent;
        }
        _items[at] = merge;
    }

    /// <summary>Takes the best merge; false when there is none.</summary>
    public bool TryPop(out Merge best)
    {
        if (_count == 0)
        {
            best = default;
            return false;
        }
        best = _items[0];
        Merge last = _items[--_count];
        int at = 0;
        while (true)
        {
            int child = 2 * at + 1;
            if (child >= _count)
            {
                break;
            }
            if (child + 1 < _count && Before(_items[child + 1], _items[child]))
            {
                child++;
            }
            if (!Before(_items[child], last))
            {
                break;
            }
            _items[at] = _items[child];
            at = child;
        }
        _items[at] = last;
        return true;
    }

    private static bool Before(Merge a, Merge b) => a.Rank != b.Rank ? a.Rank < b.Rank : a.Position < b.Position;
}
