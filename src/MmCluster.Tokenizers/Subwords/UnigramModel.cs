using System.Runtime.InteropServices;
using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Subwords;

/// <summary>
/// Unigram language model of tokenizer.json: the split with the best sum of log probabilities (Viterbi over all tokens
/// that start at each position; Kudo 2018). Unknown characters cost ten more than the rarest token and are fused.
/// </summary>
internal sealed class UnigramModel : SubwordModel
{
    private const double UnknownPenalty = 10.0;

    private struct Node
    {
        public int Id;
        public int Start; // -1: nothing ends here
        public double Score;
    }

    private readonly double[] _scores;
    private readonly int? _unknownId;
    private readonly double _unknownScore;
    private readonly int?[]? _byteTokens;
    private readonly CharTrie _trie = new();
    private readonly WordCache _cache = new();
    private readonly WordCache _guardedCache = new();

    public UnigramModel(Vocabulary vocabulary, double[] scores, int? unknownId, bool byteFallback)
    {
        Vocabulary = vocabulary;
        _scores = scores;
        _unknownId = unknownId;
        _unknownScore = (scores.Length == 0 ? 0 : scores.Min()) - UnknownPenalty;
        _byteTokens = byteFallback ? ByteTokens(vocabulary) : null;
        foreach ((string token, int id) in vocabulary.Entries)
        {
            _trie.Add(token, id);
        }
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
        WordCache cache = forbidden is null ? _cache : _guardedCache;
        if (cache.TryGet(word, out int[]? known))
        {
            ids.AddRange(known!);
            return;
        }
        int start = ids.Count;
        Node[] nodes = BestPaths(word, forbidden);
        AddPath(word, nodes, ids);
        cache.Add(word, CollectionsMarshal.AsSpan(ids)[start..]);
    }

    private Node[] BestPaths(ReadOnlySpan<char> word, IReadOnlySet<int>? forbidden)
    {
        var nodes = new Node[word.Length + 1];
        for (int i = 1; i < nodes.Length; i++)
        {
            nodes[i].Start = -1;
        }
        for (int start = 0; start < word.Length;)
        {
            CodePoints.At(word, start, out int length);
            double before = nodes[start].Score;
            bool single = false;
            int trieNode = CharTrie.Root;
            for (int end = start; end < word.Length;)
            {
                trieNode = _trie.Step(trieNode, word[end++]);
                if (trieNode == CharTrie.None)
                {
                    break;
                }
                int id = _trie.ValueAt(trieNode);
                if (id == CharTrie.None || forbidden?.Contains(id) == true)
                {
                    continue;
                }
                Offer(ref nodes[end], id, start, _scores[id] + before);
                single |= end - start == length;
            }
            if (!single)
            {
                Offer(ref nodes[start + length], -1, start, _unknownScore + before);
            }
            start += length;
        }
        return nodes;
    }

    private static void Offer(ref Node node, int id, int start, double score)
    {
        if (node.Start < 0 || score > node.Score)
        {
            node = new Node { Id = id, Start = start, Score = score };
        }
    }

    private void AddPath(ReadOnlySpan<char> word, Node[] nodes, List<int> ids)
    {
        var path = new List<(int Id, int Start, int End)>();
        for (int end = word.Length; end > 0; end = nodes[end].Start)
        {
            bool unknown = nodes[end].Id < 0 || nodes[end].Id == _unknownId;
            if (unknown && path is [.., (-1, _, _)])
            {
                path[^1] = path[^1] with { Start = nodes[end].Start };
            }
            else
            {
                path.Add((unknown ? -1 : nodes[end].Id, nodes[end].Start, end));
            }
        }
        for (int i = path.Count - 1; i >= 0; i--)
        {
            (int id, int start, int end) = path[i];
            if (id >= 0)
            {
                ids.Add(id);
            }
            else if (_byteTokens is null || !TryAddBytes(word[start..end], _byteTokens, ids))
            {
                ids.Add(_unknownId ?? throw new InvalidDataException(
                    "tokenizer.json: model: a character has no token and unk_id is not set"));
            }
        }
    }
}
