using System.Numerics;

namespace MmCluster.Engine.Sampling;

/// <summary>
/// The k best entries of a row, found in one pass: a heap of the best so far, its worst on top, that whole vectors are compared with first. Equal
/// values rank by lower id. Reused; allocates only to grow.
/// </summary>
internal sealed class BestLogits
{
    private float[] _values = new float[64];
    private int[] _ids = new int[64];

    public int Count { get; private set; }

    /// <summary>Ids of the entries, in heap order until <see cref="Sort"/>.</summary>
    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, Count);

    public ReadOnlySpan<float> Values => _values.AsSpan(0, Count);

    /// <summary>The worst entry's value, while in heap order.</summary>
    public float Worst => _values[0];

    /// <summary>Keeps the <paramref name="k"/> best of <paramref name="row"/>.</summary>
    public void Select(ReadOnlySpan<float> row, int k)
    {
        Clear();
        k = Math.Min(k, row.Length);
        if (k == 0)
        {
            return;
        }
        Reserve(k);
        int i = 0;
        for (; i < k; i++)
        {
            _values[i] = row[i];
            _ids[i] = i;
        }
        Count = k;
        for (int parent = (k / 2) - 1; parent >= 0; parent--)
        {
            SiftDown(parent);
        }
        for (; i + Vector<float>.Count <= row.Length; i += Vector<float>.Count)
        {
            // A later id never displaces an equal value, so only greater ones matter.
            if (Vector.GreaterThanAny(new Vector<float>(row[i..]), new Vector<float>(_values[0])))
            {
                for (int j = i; j < i + Vector<float>.Count; j++)
                {
                    Offer(row[j], j);
                }
            }
        }
        for (; i < row.Length; i++)
        {
            Offer(row[i], i);
        }
    }

    /// <summary>Keeps all entries of at least <paramref name="least"/>.</summary>
    public void SelectFrom(ReadOnlySpan<float> row, float least)
    {
        Clear();
        int i = 0;
        for (; i + Vector<float>.Count <= row.Length; i += Vector<float>.Count)
        {
            if (Vector.GreaterThanOrEqualAny(new Vector<float>(row[i..]), new Vector<float>(least)))
            {
                for (int j = i; j < i + Vector<float>.Count; j++)
                {
                    Take(row[j], j, least);
                }
            }
        }
        for (; i < row.Length; i++)
        {
            Take(row[i], i, least);
        }
    }

    /// <summary>Best first; equal values by id.</summary>
    public void Sort()
    {
        Span<float> values = _values.AsSpan(0, Count);
        Span<int> ids = _ids.AsSpan(0, Count);
        values.Sort(ids, Falling.Instance);
        for (int start = 0; start < Count;)
        {
            int end = start + 1;
            while (end < Count && values[end] == values[start])
            {
                end++;
            }
            if (end - start > 1)
            {
                ids[start..end].Sort();
            }
            start = end;
        }
    }

    /// <summary>Drops all but the first <paramref name="count"/> entries and puts those in the order of their ids.</summary>
    public void KeepInIdOrder(int count)
    {
        Count = count;
        _ids.AsSpan(0, count).Sort(_values.AsSpan(0, count));
    }

    private sealed class Falling : IComparer<float>
    {
        public static Falling Instance { get; } = new();

        public int Compare(float a, float b) => b.CompareTo(a);
    }

    private void Clear() => Count = 0;

    private void Reserve(int count)
    {
        if (_values.Length < count)
        {
            int size = Math.Max(count, 2 * _values.Length);
            Array.Resize(ref _values, size);
            Array.Resize(ref _ids, size);
        }
    }

    private void Take(float value, int id, float least)
    {
        if (value >= least)
        {
            Reserve(Count + 1);
            _values[Count] = value;
            _ids[Count++] = id;
        }
    }

    private void Offer(float value, int id)
    {
        if (value > _values[0])
        {
            _values[0] = value;
            _ids[0] = id;
            SiftDown(0);
        }
    }

    // The worst on top: lower value, or higher id among equals.
    private void SiftDown(int parent)
    {
        while (true)
        {
            int child = (2 * parent) + 1;
            if (child >= Count)
            {
                return;
            }
            if (child + 1 < Count && IsWorse(child + 1, child))
            {
                child++;
            }
            if (!IsWorse(child, parent))
            {
                return;
            }
            (_values[parent], _values[child]) = (_values[child], _values[parent]);
            (_ids[parent], _ids[child]) = (_ids[child], _ids[parent]);
            parent = child;
        }
    }

    private bool IsWorse(int a, int b) => _values[a] < _values[b] || (_values[a] == _values[b] && _ids[a] > _ids[b]);
}
