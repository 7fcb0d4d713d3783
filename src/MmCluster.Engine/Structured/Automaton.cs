using System.Runtime.InteropServices;

namespace MmCluster.Engine.Structured;

/// <summary>
/// A pattern as an automaton over UTF-8 bytes. States of the deterministic one are made when first reached; their number is bounded. Every state can still
/// reach the end of a match, because the pattern has no empty sets. Not thread-safe.
/// </summary>
internal sealed class Automaton
{
    private const int Unknown = -2;
    private const int MaxNodes = 400_000;
    private const int MaxStates = 20_000;

    private readonly List<Node> _nodes = [];
    private readonly int _accept;
    private readonly Dictionary<string, int> _ids = [];
    private readonly List<int[]> _sets = [];
    private readonly List<int[]> _transitions = [];
    private readonly List<bool> _accepting = [];
    private readonly int[] _visited;
    private int _visit;

    public Automaton(Pattern pattern)
    {
        _accept = Add(new Node());
        int start = Build(pattern, _accept);
        _visited = new int[_nodes.Count];
        Start = StateOf([start]);
    }

    /// <summary>No match is possible any more.</summary>
    public const int Dead = -1;

    public int Start { get; }

    public int StateCount => _sets.Count;

    public bool IsAccepting(int state) => _accepting[state];

    /// <summary>Whether any byte may follow.</summary>
    public bool CanContinue(int state) => _sets[state].Any(node => _nodes[node].Target >= 0);

    /// <summary>The state behind a byte; <see cref="Dead"/> where it does not fit.</summary>
    /// <remarks>Once there are too many states, what would need another one does not fit.</remarks>
    public int Next(int state, byte value)
    {
        int next = _transitions[state][value];
        return next != Unknown ? next : _transitions[state][value] = Move(state, value);
    }

    private int Move(int state, byte value)
    {
        List<int> targets = [];
        foreach (int id in _sets[state])
        {
            Node node = _nodes[id];
            if (node.Target >= 0 && value >= node.First && value <= node.Last)
            {
                targets.Add(node.Target);
            }
        }
        return targets.Count == 0 ? Dead : StateOf(targets);
    }

    // The closure of these nodes, as a state.
    private int StateOf(List<int> targets)
    {
        _visit++;
        List<int> kept = [];
        bool accepting = false;
        Stack<int> open = new(targets);
        while (open.TryPop(out int id))
        {
            if (_visited[id] == _visit)
            {
                continue;
            }
            _visited[id] = _visit;
            Node node = _nodes[id];
            accepting |= id == _accept;
            if (node.Target >= 0)
            {
                kept.Add(id);
            }
            foreach (int next in node.Free)
            {
                open.Push(next);
            }
        }
        kept.Sort();
        string key = (accepting ? "+" : "-") + new string(MemoryMarshal.Cast<int, char>(CollectionsMarshal.AsSpan(kept)));
        if (_ids.TryGetValue(key, out int state))
        {
            return state;
        }
        if (_sets.Count == MaxStates)
        {
            return Dead;
        }
        int[] transitions = new int[256];
        Array.Fill(transitions, Unknown);
        _sets.Add([.. kept]);
        _transitions.Add(transitions);
        _accepting.Add(accepting);
        _ids.Add(key, _sets.Count - 1);
        return _sets.Count - 1;
    }

    // Adds nodes that match the pattern and go on at the given node; returns the first of them.
    private int Build(Pattern pattern, int then)
    {
        switch (pattern)
        {
            case Pattern.Char letter:
                return BuildChar(letter.Set, then);
            case Pattern.Sequence sequence:
                for (int i = sequence.Parts.Count - 1; i >= 0; i--)
                {
                    then = Build(sequence.Parts[i], then);
                }
                return then;
            case Pattern.Choice choice:
                return Fork([.. choice.Options.Select(option => Build(option, then))]);
            case Pattern.Repeat repeat:
                return BuildRepeat(repeat, then);
            default:
                throw new System.Diagnostics.UnreachableException($"no automaton for {pattern.GetType().Name}");
        }
    }

    private int BuildRepeat(Pattern.Repeat repeat, int then)
    {
        int separated(int next) => repeat.Separator is null ? next : Build(repeat.Separator, next);
        int tail;
        int counted;
        if (repeat.Most is { } most)
        {
            // Optional ones from the back, then the required ones in front.
            tail = then;
            for (int i = most; i > Math.Max(repeat.Least, 1); i--)
            {
                tail = Fork([then, separated(Build(repeat.Body, tail))]);
            }
            counted = Math.Min(Math.Max(repeat.Least, 1), most);
            if (most == 0)
            {
                return then;
            }
        }
        else
        {
            // body, then again behind a separator: one copy of the body in a loop.
            int loop = Add(new Node());
            int body = Build(repeat.Body, loop);
            _nodes[loop].Free.Add(then);
            _nodes[loop].Free.Add(separated(body));
            counted = Math.Max(repeat.Least, 1);
            tail = body;
            counted--;
            for (; counted > 0; counted--)
            {
                tail = Build(repeat.Body, separated(tail));
            }
            return repeat.Least == 0 ? Fork([then, tail]) : tail;
        }
        int first = tail;
        for (int i = 0; i < counted; i++)
        {
            first = Build(repeat.Body, i == 0 ? tail : separated(first));
        }
        return repeat.Least == 0 ? Fork([then, first]) : first;
    }

    private int BuildChar(CharSet set, int then)
    {
        if (set.IsEmpty)
        {
            throw Pattern.Refuse("the constraint has a class that no character is in");
        }
        List<int> starts = [];
        foreach ((int first, int last) in set.Ranges)
        {
            foreach ((byte First, byte Last)[] bytes in Utf8Ranges.Of(first, last))
            {
                int next = then;
                for (int i = bytes.Length - 1; i >= 0; i--)
                {
                    next = Add(new Node { First = bytes[i].First, Last = bytes[i].Last, Target = next });
                }
                starts.Add(next);
            }
        }
        return Fork(starts);
    }

    private int Fork(List<int> targets)
    {
        if (targets.Count == 1)
        {
            return targets[0];
        }
        Node node = new();
        node.Free.AddRange(targets);
        return Add(node);
    }

    private int Add(Node node)
    {
        if (_nodes.Count == MaxNodes)
        {
            throw Pattern.Refuse($"the constraint is too large: more than {MaxNodes} parts");
        }
        _nodes.Add(node);
        return _nodes.Count - 1;
    }

    /// <summary>Goes to Target on a byte in [First, Last] where Target is not negative; without a byte to each of Free.</summary>
    private sealed class Node
    {
        public byte First { get; init; }

        public byte Last { get; init; }

        public int Target { get; init; } = -1;

        public List<int> Free { get; } = [];
    }
}
