namespace MmCluster.Tokenizers.Subwords;

/// <summary>Tokens by id and ids by token. Immutable once a tokenizer has been built from it.</summary>
internal sealed class Vocabulary
{
    /// <summary>Ids above this are an error: a table indexed by token would be too large.</summary>
    public const int MaxId = 1 << 24;

    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly Dictionary<int, string> _tokens = [];
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _bySpan;

    public Vocabulary() => _bySpan = _ids.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>How many tokens have an id.</summary>
    public int Count => _ids.Count;

    /// <summary>One more than the largest id.</summary>
    public int Size { get; private set; }

    /// <summary>The longest token's UTF-16 length.</summary>
    public int LongestToken { get; private set; }

    /// <summary>All pairs.</summary>
    public IEnumerable<KeyValuePair<string, int>> Entries => _ids;

    /// <summary>Sets a token's id; throws <see cref="InvalidDataException"/> for an id that is out of range.</summary>
    public void Set(string token, int id, string where)
    {
        if (id is < 0 or > MaxId)
        {
            throw new InvalidDataException($"{where}: token '{token}' has id {id}; ids lie in 0..{MaxId}");
        }
        _ids[token] = id;
        _tokens[id] = token;
        Size = Math.Max(Size, id + 1);
        LongestToken = Math.Max(LongestToken, token.Length);
    }

    /// <summary>A token's id.</summary>
    public bool TryId(ReadOnlySpan<char> token, out int id) => _bySpan.TryGetValue(token, out id);

    /// <summary>A token's id, or null.</summary>
    public int? IdOf(string token) => _ids.TryGetValue(token, out int id) ? id : null;

    /// <summary>An id's token, or null.</summary>
    public string? TokenOf(int id) => _tokens.GetValueOrDefault(id);
}

/// <summary>Splits words into tokens of a vocabulary. Thread-safe.</summary>
internal abstract class SubwordModel
{
    /// <summary>The model's tokens.</summary>
    public abstract Vocabulary Vocabulary { get; }

    /// <summary>
    /// Adds the ids of <paramref name="word"/>. Ids in <paramref name="forbidden"/> are special tokens that user text must
    /// not spell; null when the whole text is trusted.
    /// </summary>
    public abstract void Split(ReadOnlySpan<char> word, IReadOnlySet<int>? forbidden, List<int> ids);

    /// <summary>The ids of &lt;0x00&gt; to &lt;0xFF&gt; where the vocabulary has them, else null.</summary>
    protected static int?[] ByteTokens(Vocabulary vocabulary)
    {
        int?[] ids = new int?[256];
        for (int b = 0; b < 256; b++)
        {
            ids[b] = vocabulary.IdOf(FormattableString.Invariant($"<0x{b:X2}>"));
        }
        return ids;
    }

    /// <summary>Adds a byte token for each UTF-8 byte of <paramref name="text"/>; false, adding nothing, when one is missing.</summary>
    protected static bool TryAddBytes(ReadOnlySpan<char> text, int?[] byteTokens, List<int> ids)
    {
        int start = ids.Count;
        Span<byte> bytes = stackalloc byte[4];
        foreach (System.Text.Rune rune in text.EnumerateRunes())
        {
            int count = rune.EncodeToUtf8(bytes);
            for (int i = 0; i < count; i++)
            {
                if (byteTokens[bytes[i]] is not { } id)
                {
                    ids.RemoveRange(start, ids.Count - start);
                    return false;
                }
                ids.Add(id);
            }
        }
        return true;
    }
}
