namespace MmCluster.Tokenizers.Subwords;

/// <summary>A trie over UTF-16 units with a value at the end of each key. Immutable once built; reading is thread-safe.</summary>
internal sealed class CharTrie
{
    /// <summary>No such node, or no value.</summary>
    public const int None = -1;

    private readonly Dictionary<long, int> _edges = [];
    private readonly List<int> _values = [None];

    /// <summary>The node of the empty key.</summary>
    public static int Root => 0;

    /// <summary>Adds a key; a later value replaces an earlier one.</summary>
    public void Add(ReadOnlySpan<char> key, int value)
    {
        int node = Root;
        foreach (char c in key)
        {
            long edge = (long)node << 16 | c;
            if (!_edges.TryGetValue(edge, out int next))
            {
                next = _values.Count;
                _values.Add(None);
                _edges.Add(edge, next);
            }
            node = next;
        }
        _values[node] = value;
    }

    /// <summary>The node one unit further, or <see cref="None"/>.</summary>
    public int Step(int node, char c) => _edges.TryGetValue((long)node << 16 | c, out int next) ? next : None;

    /// <summary>The value of the key that ends at this node, or <see cref="None"/>.</summary>
    public int ValueAt(int node) => _values[node];
}
