namespace MmCluster.Engine.Structured;

/// <summary>
/// The bytes of all tokens as a tree, so that a step through the automaton is shared by all tokens with that beginning. Immutable. Nodes lie in depth-first
/// order: a node's children follow it, and Skip says where its subtree ends.
/// </summary>
internal sealed class VocabularyTrie
{
    private readonly List<(byte Value, int Depth, int Skip, int[] Tokens)> _nodes = [];
    private readonly ReadOnlyMemory<byte>[] _bytes;

    public VocabularyTrie(IVocabulary vocabulary, int vocabularySize)
    {
        int count = Math.Min(vocabulary.Count, vocabularySize);
        Words = (vocabularySize + 31) / 32;
        _bytes = new ReadOnlyMemory<byte>[vocabularySize];
        for (int token = 0; token < count; token++)
        {
            _bytes[token] = vocabulary.BytesOf(token);
        }
        int[] tokens = [.. Enumerable.Range(0, count).Where(token => _bytes[token].Length > 0)];
        Array.Sort(tokens, (a, b) => _bytes[a].Span.SequenceCompareTo(_bytes[b].Span));
        Add(tokens, 0, tokens.Length, 0);
    }

    /// <summary>Words of a mask.</summary>
    public int Words { get; }

    public ReadOnlySpan<byte> BytesOf(int token) => token < _bytes.Length ? _bytes[token].Span : default;

    /// <summary>Sets the bits of all tokens that fit from a state on.</summary>
    public void Mask(Automaton automaton, int state, Span<uint> mask)
    {
        Span<int> states = stackalloc int[256];
        states[0] = state;
        for (int i = 0; i < _nodes.Count;)
        {
            (byte value, int depth, int skip, int[] tokens) = _nodes[i];
            int next = automaton.Next(states[depth], value);
            if (next == Automaton.Dead)
            {
                i = skip;
                continue;
            }
            foreach (int token in tokens)
            {
                mask[token / 32] |= 1u << (token % 32);
            }
            states[depth + 1] = next;
            i++;
        }
    }

    private void Add(int[] tokens, int first, int end, int depth)
    {
        // Longer tokens than this are left out: no text needs them.
        if (depth >= 250)
        {
            return;
        }
        for (int i = first; i < end;)
        {
            ReadOnlySpan<byte> bytes = _bytes[tokens[i]].Span;
            if (bytes.Length <= depth)
            {
                i++; // ended at the parent
                continue;
            }
            byte value = bytes[depth];
            int past = i;
            List<int> here = [];
            while (past < end && _bytes[tokens[past]].Span[depth] == value)
            {
                if (_bytes[tokens[past]].Length == depth + 1)
                {
                    here.Add(tokens[past]);
                }
                past++;
            }
            int node = _nodes.Count;
            _nodes.Add((value, depth, 0, [.. here]));
            Add(tokens, i, past, depth + 1);
            _nodes[node] = (value, depth, _nodes.Count, [.. here]);
            i = past;
        }
    }
}
