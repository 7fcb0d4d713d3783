using MmCluster.Tokenizers.Subwords;

namespace MmCluster.Tokenizers.SentencePiece;

/// <summary>Pieces merged by score, highest first, then leftmost. User-defined symbols are never merged. O(n log n).</summary>
internal sealed class BpePieceEncoder : PieceEncoder
{
    private struct Symbol
    {
        public int Start;
        public int Length; // 0: merged away
        public int Previous;
        public int Next;
    }

    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _bySpan;
    private readonly int[] _ranks;
    private readonly CharTrie _userSymbols = new();
    private readonly bool _hasUserSymbols;
    private readonly bool _cutsAtSpace;
    private readonly WordCache _cache = new();
    private readonly WordCache _guardedCache = new();

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
                _hasUserSymbols = true;
            }
        }
        // As in BpeModel: where no piece reaches over the start of a word, text can be cut there.
        _cutsAtSpace = !model.Pieces.Any(piece => piece.Type is PieceType.Normal or PieceType.Unused
            && BpeModel.NextCut(piece.Text) > 0);
    }

    /// <inheritdoc/>
    public override void Split(string text, IReadOnlySet<int>? forbidden, List<(int Id, int End)> pieces)
    {
        int start = 0;
        for (int at = 0; _hasUserSymbols && at < text.Length;)
        {
            // User-defined symbols are found left to right, the longest first, and never merged.
            int length = UserSymbol(text, at, forbidden, out int id);
            if (length == 0)
            {
                at++;
                continue;
            }
            SplitText(text, start, at, forbidden, pieces);
            at += length;
            pieces.Add((id, at));
            start = at;
        }
        SplitText(text, start, text.Length, forbidden, pieces);
    }

    private void SplitText(string text, int start, int end, IReadOnlySet<int>? forbidden, List<(int Id, int End)> pieces)
    {
        while (_cutsAtSpace && BpeModel.NextCut(text.AsSpan(start, end - start)) is > 0 and var cut)
        {
            SplitWord(text.AsSpan(start, cut), start, forbidden, pieces);
            start += cut;
        }
        SplitWord(text.AsSpan(start, end - start), start, forbidden, pieces);
    }

    private void SplitWord(ReadOnlySpan<char> word, int start, IReadOnlySet<int>? forbidden, List<(int Id, int End)> pieces)
    {
        WordCache cache = forbidden is null ? _cache : _guardedCache;
        if (!cache.TryGet(word, out int[]? known))
        {
            var parts = new List<int>();
            Merge(word, forbidden, parts);
            known = [.. parts];
            cache.Add(word, known);
        }
        // Pairs of id and end.
        for (int i = 0; i < known!.Length; i += 2)
        {
            pieces.Add((known[i], start + known[i + 1]));
        }
    }

    private void Merge(ReadOnlySpan<char> text, IReadOnlySet<int>? forbidden, List<int> pieces)
    {
        Symbol[] symbols = Characters(text);
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

    private static Symbol[] Characters(ReadOnlySpan<char> text)
    {
        var symbols = new Symbol[Unicode.CodePoints.Count(text)];
        int at = 0;
        for (int i = 0; i < symbols.Length; i++)
        {
            Unicode.CodePoints.At(text, at, out int length);
            symbols[i] = new Symbol { Start = at, Length = length, Previous = i - 1, Next = i + 1 < symbols.Length ? i + 1 : -1 };
            at += length;
        }
        return symbols;
    }

    private int UserSymbol(string text, int start, IReadOnlySet<int>? forbidden, out int found)
    {
        found = CharTrie.None;
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
                found = id;
            }
        }
        return longest;
    }

    private void Propose(
        ReadOnlySpan<char> text, Symbol[] symbols, int position, IReadOnlySet<int>? forbidden, MergeHeap heap, Dictionary<int, int> origins)
    {
        ref Symbol left = ref symbols[position];
        ref Symbol right = ref symbols[left.Next];
        if (!_bySpan.TryGetValue(text.Slice(left.Start, left.Length + right.Length), out int id)
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
        ReadOnlySpan<char> text, Symbol symbol, IReadOnlySet<int>? forbidden, Dictionary<int, int> origins, List<int> pieces)
    {
        var open = new Stack<(int Start, int Length)>();
        open.Push((symbol.Start, symbol.Length));
        while (open.TryPop(out (int Start, int Length) part))
        {
            bool known = _bySpan.TryGetValue(text.Slice(part.Start, part.Length), out int id) && forbidden?.Contains(id) != true;
            if (known && Model.Pieces[id].Type == PieceType.Unused && origins.TryGetValue(id, out int left) && left < part.Length)
            {
                open.Push((part.Start + left, part.Length - left));
                open.Push((part.Start, left));
                continue;
            }
            pieces.Add(known ? id : Model.UnknownId);
            pieces.Add(part.Start + part.Length);
        }
    }
}
