using MmCluster.Tokenizers.Subwords;

namespace MmCluster.Tokenizers.SentencePiece;

/// <summary>Cuts normalized text into pieces. Thread-safe.</summary>
internal abstract class PieceEncoder
{
    protected PieceEncoder(SentencePieceModel model)
    {
        Model = model;
        var byText = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            if (model.Pieces[id].Type is PieceType.Normal or PieceType.UserDefined or PieceType.Unused)
            {
                byText.TryAdd(model.Pieces[id].Text, id);
            }
        }
        Ids = byText;
    }

    protected SentencePieceModel Model { get; }

    /// <summary>The pieces that text can become.</summary>
    protected Dictionary<string, int> Ids { get; }

    /// <summary>
    /// Adds the pieces of <paramref name="text"/> in order as id and end; text outside the vocabulary has the unknown id.
    /// Ids in <paramref name="forbidden"/> are not used.
    /// </summary>
    public abstract void Split(string text, IReadOnlySet<int>? forbidden, List<(int Id, int End)> pieces);
}

/// <summary>Pieces merged by score, highest first, then leftmost. User-defined symbols are never merged. O(n log n).</summary>
internal sealed class BpePieceEncoder : PieceEncoder
{
    private struct Symbol
    {
        public int Start;
        public int Length; // 0: merged away
        public int Previous;
        public int Next;
        public bool Frozen;
    }

    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _bySpan;
    private readonly int[] _ranks;
    private readonly CharTrie _userSymbols = new();

    public BpePieceEncoder(SentencePieceModel model)
        : base(model)
    {
        _bySpan = Ids.GetAlternateLookup<ReadOnlySpan<char>>();
        // Equal scores must stay equal, because then the position decides.
        float[] scores = [.. model.Pieces.Select(piece => piece.Score).Distinct().OrderDescending()];
        Dictionary<float, int> rankOf = scores.Select((score, rank) => (score, rank)).ToDictionary(pair => pair.score, pair => pair.rank);
        _ranks = [.. model.Pieces.Select(piece => rankOf[piece.Score])];
        for (int id = 0; id < model.Pieces.Count; id++)
        {
            if (model.Pieces[id].Type == PieceType.UserDefined)
            {
                _userSymbols.Add(model.Pieces[id].Text, id);
            }
        }
    }

    /// <inheritdoc/>
    public override void Split(string text, IReadOnlySet<int>? forbidden, List<(int Id, int End)> pieces)
    {
        Symbol[] symbols = Characters(text, forbidden);
        var heap = new MergeHeap();
        // For a piece marked unused: how it came about last, so that it can be taken apart again.
        var origins = new Dictionary<int, int>();
        for (int i = 0; i + 1 < symbols.Length; i++)
        {
            Propose(text, symbols, i, forbidden, heap, origins);
        }
        while (heap.TryPop(out Merge merge))
        {
            ref Symbol left = ref symbols[merge.Position];
            if (left.Length == 0 || left.Next < 0
                || left.Length + symbols[left.Next].Length != Model.Pieces[merge.Id].Text.Length)
            {
                continue;
            }
            ref Symbol right = ref symbols[left.Next];
            left.Length += right.Length;
            right.Length = 0;
            left.Next = right.Next;
            if (left.Next >= 0)
            {
                symbols[left.Next].Previous = merge.Position;
                Propose(text, symbols, merge.Position, forbidden, heap, origins);
            }
            if (left.Previous >= 0)
            {
                Propose(text, symbols, left.Previous, forbidden, heap, origins);
            }
        }
        for (int i = symbols.Length == 0 ? -1 : 0; i >= 0; i = symbols[i].Next)
        {
            AddPieces(text, symbols[i], forbidden, origins, pieces);
        }
    }

    private Symbol[] Characters(string text, IReadOnlySet<int>? forbidden)
    {
        var symbols = new List<Symbol>(text.Length);
        for (int at = 0; at < text.Length;)
        {
            int length = UserSymbol(text, at, forbidden);
            bool frozen = length > 0;
            if (!frozen)
            {
                Unicode.CodePoints.At(text, at, out length);
            }
            symbols.Add(new Symbol { Start = at, Length = length, Previous = symbols.Count - 1, Next = symbols.Count + 1, Frozen = frozen });
            at += length;
        }
        Symbol[] result = [.. symbols];
        if (result.Length > 0)
        {
            result[^1].Next = -1;
        }
        return result;
    }

    private int UserSymbol(string text, int start, IReadOnlySet<int>? forbidden)
    {
        int longest = 0;
        int node = CharTrie.Root;
        for (int i = start; i < text.Length; i++)
        {
            node = _userSymbols.Step(node, text[i]);
            if (node == CharTrie.None)
            {
                break;
            }
            int id = _userSymbols.ValueAt(node);
            if (id != CharTrie.None && forbidden?.Contains(id) != true)
            {
                longest = i + 1 - start;
            }
        }
        return longest;
    }

    private void Propose(
        string text, Symbol[] symbols, int position, IReadOnlySet<int>? forbidden, MergeHeap heap, Dictionary<int, int> origins)
    {
        ref Symbol left = ref symbols[position];
        ref Symbol right = ref symbols[left.Next];
        if (left.Frozen || right.Frozen
            || !_bySpan.TryGetValue(text.AsSpan(left.Start, left.Length + right.Length), out int id)
            || forbidden?.Contains(id) == true)
        {
            return;
        }
        heap.Push(new Merge(_ranks[id], position, id));
        if (Model.Pieces[id].Type == PieceType.Unused)
        {
            origins[id] = left.Length;
        }
    }

    private void AddPieces(
        string text, Symbol symbol, IReadOnlySet<int>? forbidden, Dictionary<int, int> origins, List<(int, int)> pieces)
    {
        var open = new Stack<(int Start, int Length)>();
        open.Push((symbol.Start, symbol.Length));
        while (open.TryPop(out (int Start, int Length) part))
        {
            bool known = _bySpan.TryGetValue(text.AsSpan(part.Start, part.Length), out int id) && forbidden?.Contains(id) != true;
            if (known && Model.Pieces[id].Type == PieceType.Unused && origins.TryGetValue(id, out int left) && left < part.Length)
            {
                open.Push((part.Start + left, part.Length - left));
                open.Push((part.Start, left));
                continue;
            }
            pieces.Add((known ? id : Model.UnknownId, part.Start + part.Length));
        }
    }
}

/// <summary>
/// The split with the best sum of scores (Viterbi), in the arithmetic of the reference: sums in double, kept in float.
/// </summary>
internal sealed class UnigramPieceEncoder : PieceEncoder
{
    private const float UnknownPenalty = 10.0f;

    private struct Node
    {
        public int Id;
        public int Start; // -1: nothing ends here
        public float Score;
    }

    private readonly CharTrie _trie = new();
    private readonly double[] _scores;
    private readonly float _unknownScore;

    public UnigramPieceEncoder(SentencePieceModel model)
        : base(model)
    {
        float lowest = float.MaxValue;
        // The reference starts from C's FLT_MIN, the smallest positive number, which user-defined symbols' bonus rests on.
        float highest = 1.17549435e-38f;
        foreach (Piece piece in model.Pieces.Where(piece => piece.Type == PieceType.Normal))
        {
            lowest = Math.Min(lowest, piece.Score);
            highest = Math.Max(highest, piece.Score);
        }
        _unknownScore = lowest - UnknownPenalty;
        _scores = [.. model.Pieces.Select(piece => piece.Type == PieceType.UserDefined
            ? System.Text.Encoding.UTF8.GetByteCount(piece.Text) * highest - 0.1 : piece.Score)];
        foreach ((string text, int id) in Ids)
        {
            _trie.Add(text, id);
        }
    }

    /// <inheritdoc/>
    public override void Split(string text, IReadOnlySet<int>? forbidden, List<(int Id, int End)> pieces)
    {
        var nodes = new Node[text.Length + 1];
        for (int i = 1; i < nodes.Length; i++)
        {
            nodes[i].Start = -1;
        }
        for (int start = 0; start < text.Length;)
        {
            Unicode.CodePoints.At(text, start, out int length);
            bool single = false;
            int trieNode = CharTrie.Root;
            for (int end = start; end < text.Length;)
            {
                trieNode = _trie.Step(trieNode, text[end++]);
                if (trieNode == CharTrie.None)
                {
                    break;
                }
                int id = _trie.ValueAt(trieNode);
                if (id == CharTrie.None || Model.Pieces[id].Type == PieceType.Unused || forbidden?.Contains(id) == true)
                {
                    continue;
                }
                Offer(ref nodes[end], id, start, _scores[id] + nodes[start].Score);
                single |= end - start == length;
            }
            if (!single)
            {
                Offer(ref nodes[start + length], Model.UnknownId, start, _unknownScore + nodes[start].Score);
            }
            start += length;
        }
        int first = pieces.Count;
        for (int end = text.Length; end > 0; end = nodes[end].Start)
        {
            pieces.Add((nodes[end].Id, end));
        }
        pieces.Reverse(first, pieces.Count - first);
    }

    private static void Offer(ref Node node, int id, int start, double score)
    {
        if (node.Start < 0 || score > node.Score)
        {
            node = new Node { Id = id, Start = start, Score = (float)score };
        }
    }
}
