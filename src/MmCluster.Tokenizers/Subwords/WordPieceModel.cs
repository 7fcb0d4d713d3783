using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers.Subwords;

/// <summary>WordPiece: the longest token that fits, again and again; one unknown token for a word that does not work out.</summary>
internal sealed class WordPieceModel(Vocabulary vocabulary, int unknownId, string continuingPrefix, int maxWordLength) : SubwordModel
{
    /// <inheritdoc/>
    public override Vocabulary Vocabulary => vocabulary;

    /// <inheritdoc/>
    public override void Split(ReadOnlySpan<char> word, IReadOnlySet<int>? forbidden, List<int> ids)
    {
        int first = ids.Count;
        if (CodePoints.Count(word) > maxWordLength || !TrySplit(word, forbidden, ids))
        {
            ids.RemoveRange(first, ids.Count - first);
            ids.Add(unknownId);
        }
    }

    private bool TrySplit(ReadOnlySpan<char> word, IReadOnlySet<int>? forbidden, List<int> ids)
    {
        Span<char> buffer = new char[Math.Min(vocabulary.LongestToken, word.Length) + continuingPrefix.Length];
        continuingPrefix.CopyTo(buffer);
        for (int start = 0; start < word.Length;)
        {
            int prefix = start == 0 ? 0 : continuingPrefix.Length;
            // No candidate is longer than the longest token, so a long word costs no more per character than a short one.
            int end = Math.Min(word.Length, start + Math.Max(0, vocabulary.LongestToken - prefix));
            while (end > start && !IsToken(word[start..end], prefix, buffer, forbidden, ids))
            {
                end--;
            }
            if (end == start)
            {
                return false;
            }
            start = end;
        }
        return true;
    }

    private bool IsToken(ReadOnlySpan<char> piece, int prefix, Span<char> buffer, IReadOnlySet<int>? forbidden, List<int> ids)
    {
        // Half a surrogate pair is no character.
        if (char.IsHighSurrogate(piece[^1]))
        {
            return false;
        }
        ReadOnlySpan<char> candidate = piece;
        if (prefix > 0)
        {
            piece.CopyTo(buffer[prefix..]);
            candidate = buffer[..(prefix + piece.Length)];
        }
        if (!vocabulary.TryId(candidate, out int id) || forbidden?.Contains(id) == true)
        {
            return false;
        }
        ids.Add(id);
        return true;
    }
}

/// <summary>Whole words only.</summary>
internal sealed class WordLevelModel(Vocabulary vocabulary, int? unknownId) : SubwordModel
{
    /// <inheritdoc/>
    public override Vocabulary Vocabulary => vocabulary;

    /// <inheritdoc/>
    public override void Split(ReadOnlySpan<char> word, IReadOnlySet<int>? forbidden, List<int> ids)
    {
        if (vocabulary.TryId(word, out int id) && forbidden?.Contains(id) != true)
        {
            ids.Add(id);
        }
        else
        {
            ids.Add(unknownId ?? throw new InvalidDataException(
                "tokenizer.json: model: a word has no token and the vocabulary has no unknown token"));
        }
    }
}
