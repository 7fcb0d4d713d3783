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
