using System.Runtime.InteropServices;
using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Subwords;

/// <summary>How a BPE model treats what its merges do not cover.</summary>
internal sealed record BpeOptions
{
    /// <summary>Stands for a character that has no token; null drops it.</summary>
    public int? UnknownId { get; init; }

    /// <summary>One unknown token for a run of unknown characters.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>Unknown characters become byte tokens.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>A word that is a token stays whole.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>Stands before each symbol but a word's first.</summary>
    public string ContinuingPrefix { get; init; } = "";

    /// <summary>Stands behind a word's last symbol.</summary>
    public string EndOfWordSuffix { get; init; } = "";
}

/// <summary>Byte-pair encoding: the lowest-ranked merge first, leftmost first. O(n log n) in the word's length.</summary>
internal sealed class BpeModel : SubwordModel
{
    private struct Symbol
    {
        public int Id;
        public int Previous;
        public int Next;
    }

    private sealed class Scratch
    {
        public List<int> Ids { get; } = [];
        public List<Symbol> Symbols { get; } = [];
        public MergeHeap Heap { get; } = new();
        public bool InUse { get; set; }
    }

    private const char Space = '▁';
    private const int ScratchLimit = 1 << 16;

    [ThreadStatic]
    private static Scratch? _scratch;

    private readonly Dictionary<(int Left, int Right), (int Rank, int Id)> _merges;
    private readonly BpeOptions _options;
    private readonly int?[] _byteTokens;
    private readonly bool _cutsAtSpace;
    private readonly WordCache _cache = new();
    private readonly WordCache _guardedCache = new();

    public BpeModel(Vocabulary vocabulary, Dictionary<(int Left, int Right), (int Rank, int Id)> merges, BpeOptions options)
    {
        Vocabulary = vocabulary;
        _merges = merges;
        _options = options;
        _byteTokens = ByteTokens(vocabulary);
        // Where nothing merges across the start of a word, text that comes as one long word can be cut there: the result is
        // the same, the heap stays small and the cache works.
        _cutsAtSpace = vocabulary.IdOf("▁") is not null && options.ContinuingPrefix.Length + options.EndOfWordSuffix.Length == 0
            && !merges.Keys.Any(pair => vocabulary.TokenOf(pair.Right)!.StartsWith(Space) && !vocabulary.TokenOf(pair.Left)!.EndsWith(Space));
    }

    /// <inheritdoc/>
    public override Vocabulary Vocabulary { get; }

    /// <inheritdoc/>
    public override void Split(ReadOnlySpan<char> word, IReadOnlySet<int>? forbidden, List<int> ids)
    {
        if (word.IsEmpty)
        {
            return;
        }
        if (_options.IgnoreMerges && Vocabulary.TryId(word, out int whole) && forbidden?.Contains(whole) != true)
        {
            ids.Add(whole);
            return;
        }
        while (_cutsAtSpace && NextCut(word) is > 0 and var cut)
        {
            SplitWhole(word[..cut], forbidden, ids);
            word = word[cut..];
        }
        SplitWhole(word, forbidden, ids);
    }

    /// <summary>Where a metaspace follows another character first, or -1.</summary>
    internal static int NextCut(ReadOnlySpan<char> word)
    {
        int letter = word.IndexOfAnyExcept(Space);
        int space = letter < 0 ? -1 : word[letter..].IndexOf(Space);
        return space < 0 ? -1 : letter + space;
    }

    private void SplitWhole(ReadOnlySpan<char> word, IReadOnlySet<int>? forbidden, List<int> ids)
    {
        // The forbidden ids of a tokenizer never change, so one cache per kind of text suffices.
        WordCache cache = forbidden is null ? _cache : _guardedCache;
        if (cache.TryGet(word, out int[]? known))
        {
            ids.AddRange(known!);
            return;
        }
        int start = ids.Count;
        Scratch scratch = Rent(word.Length);
        AddCharacters(word, scratch.Ids);
        MergeAll(scratch, forbidden, ids);
        scratch.InUse = false;
        cache.Add(word, CollectionsMarshal.AsSpan(ids)[start..]);
    }

    // Huge words get scratch of their own, so that one of them does not pin its memory to the thread.
    private static Scratch Rent(int length)
    {
        Scratch? scratch = length > ScratchLimit ? new Scratch() : _scratch ??= new Scratch();
        if (scratch.InUse)
        {
            scratch = new Scratch();
        }
        scratch.InUse = true;
        scratch.Ids.Clear();
        scratch.Symbols.Clear();
        scratch.Heap.Clear();
        return scratch;
    }

    private void AddCharacters(ReadOnlySpan<char> word, List<int> ids)
    {
        // An unknown character waits until a known one or the end: the reference lets byte tokens overtake it.
        int? pending = null;
        for (int i = 0; i < word.Length;)
        {
            CodePoints.At(word, i, out int length);
            ReadOnlySpan<char> character = word.Slice(i, length);
            bool first = i == 0;
            i += length;
            if (TryCharacter(character, first, i == word.Length, out int id, out string? decorated))
            {
                AddUnknown(ref pending, ids);
                ids.Add(id);
                continue;
            }
            if (_options.ByteFallback && TryAddBytes(decorated ?? character, _byteTokens, ids))
            {
                continue;
            }
            if (!_options.FuseUnknown)
            {
                AddUnknown(ref pending, ids);
            }
            pending = _options.UnknownId;
        }
        AddUnknown(ref pending, ids);
    }

    private static void AddUnknown(ref int? pending, List<int> ids)
    {
        if (pending is { } id)
        {
            ids.Add(id);
            pending = null;
        }
    }

    private bool TryCharacter(ReadOnlySpan<char> character, bool first, bool last, out int id, out string? decorated)
    {
        string prefix = first ? "" : _options.ContinuingPrefix;
        string suffix = last ? _options.EndOfWordSuffix : "";
        decorated = prefix.Length + suffix.Length == 0 ? null : string.Concat(prefix, character, suffix);
        return decorated is null ? Vocabulary.TryId(character, out id) : Vocabulary.TryId(decorated, out id);
    }

    private void MergeAll(Scratch scratch, IReadOnlySet<int>? forbidden, List<int> result)
    {
        List<int> ids = scratch.Ids;
        for (int i = 0; i < ids.Count; i++)
        {
            scratch.Symbols.Add(new Symbol { Id = ids[i], Previous = i - 1, Next = i + 1 < ids.Count ? i + 1 : -1 });
        }
        Span<Symbol> symbols = CollectionsMarshal.AsSpan(scratch.Symbols);
        MergeHeap heap = scratch.Heap;
        for (int i = 0; i + 1 < symbols.Length; i++)
        {
            Propose(symbols, i, forbidden, heap);
        }
        while (heap.TryPop(out Merge merge))
        {
            ref Symbol left = ref symbols[merge.Position];
            // Skip what an earlier merge has overtaken: the left symbol is gone or the last, or the pair now makes another token.
            if (left.Id < 0 || left.Next < 0 || !TryMerge(left.Id, symbols[left.Next].Id, out (int Rank, int Id) now) || now.Id != merge.Id)
            {
                continue;
            }
            ref Symbol right = ref symbols[left.Next];
            left.Id = merge.Id;
            left.Next = right.Next;
            right.Id = -1;
            if (left.Next >= 0)
            {
                symbols[left.Next].Previous = merge.Position;
                Propose(symbols, merge.Position, forbidden, heap);
            }
            if (left.Previous >= 0)
            {
                Propose(symbols, left.Previous, forbidden, heap);
            }
        }
        for (int i = symbols.Length == 0 ? -1 : 0; i >= 0; i = symbols[i].Next)
        {
            result.Add(symbols[i].Id);
        }
    }

    private void Propose(Span<Symbol> symbols, int position, IReadOnlySet<int>? forbidden, MergeHeap heap)
    {
        Symbol left = symbols[position];
        if (TryMerge(left.Id, symbols[left.Next].Id, out (int Rank, int Id) merge) && forbidden?.Contains(merge.Id) != true)
        {
            heap.Push(new Merge(merge.Rank, position, merge.Id));
        }
    }

    private bool TryMerge(int left, int right, out (int Rank, int Id) merge) => _merges.TryGetValue((left, right), out merge);
}
