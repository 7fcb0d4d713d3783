using MmCluster.Tokenizers.Subwords;
using MmCluster.Tokenizers.Unicode;

namespace MmCluster.Tokenizers;

/// <summary>A token that is looked for in the text itself, before the model sees it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
/// <param name="IsSpecial">Whether it is control, not text: never found in user text, skipped when decoding on request.</param>
internal sealed record AddedToken(int Id, string Content, bool IsSpecial)
{
    /// <summary>Only where no word character touches it.</summary>
    public bool SingleWord { get; init; }

    /// <summary>Takes the white space before it.</summary>
    public bool StripLeft { get; init; }

    /// <summary>Takes the white space after it.</summary>
    public bool StripRight { get; init; }

    /// <summary>Looked for after normalization instead of before.</summary>
    public bool Normalized { get; init; }
}

/// <summary>Finds added tokens in a text: leftmost first, the longest at one place. Thread-safe.</summary>
internal sealed class AddedTokenFinder
{
    private readonly Dictionary<int, AddedToken> _byId = [];
    private readonly CharTrie _trie = new();

    /// <summary>Looks for each token by the text that <paramref name="pattern"/> gives for it.</summary>
    public AddedTokenFinder(IEnumerable<AddedToken> tokens, Func<AddedToken, string> pattern)
    {
        foreach (AddedToken token in tokens)
        {
            string text = pattern(token);
            if (text.Length > 0)
            {
                _trie.Add(text, token.Id);
                _byId[token.Id] = token;
            }
        }
    }

    /// <summary>Whether there is nothing to find.</summary>
    public bool IsEmpty => _byId.Count == 0;

    /// <summary>Whether any of the tokens is special.</summary>
    public bool HasSpecial => _byId.Values.Any(token => token.IsSpecial);

    /// <summary>
    /// Cuts <paramref name="text"/> into tokens (Id) and the text between them (Id null). A special token is found only
    /// where <paramref name="untrusted"/> has no flag; null trusts all.
    /// </summary>
    public List<(int? Id, int Start, int End)> Find(string text, bool[]? untrusted)
    {
        var pieces = new List<(int? Id, int Start, int End)>();
        int last = 0;
        for (int at = 0; at < text.Length && !IsEmpty;)
        {
            if (!TryMatch(text, at, untrusted, out AddedToken? token, out int end))
            {
                at++;
                continue;
            }
            if (token!.SingleWord && TouchesWord(text, at, end))
            {
                at = end;
                continue;
            }
            int start = at;
            while (token.StripLeft && start > last && Categories.IsWhiteSpace(text[start - 1]))
            {
                start--;
            }
            while (token.StripRight && end < text.Length && Categories.IsWhiteSpace(text[end]))
            {
                end++;
            }
            if (start > last)
            {
                pieces.Add((null, last, start));
            }
            pieces.Add((token.Id, start, end));
            at = last = end;
        }
        if (text.Length > last)
        {
            pieces.Add((null, last, text.Length));
        }
        return pieces;
    }

    private bool TryMatch(string text, int start, bool[]? untrusted, out AddedToken? token, out int end)
    {
        token = null;
        end = start;
        bool trusted = true;
        int node = CharTrie.Root;
        for (int i = start; i < text.Length; i++)
        {
            node = _trie.Step(node, text[i]);
            if (node == CharTrie.None)
            {
                break;
            }
            trusted &= untrusted is null || !untrusted[i];
            int id = _trie.ValueAt(node);
            if (id != CharTrie.None && (trusted || !_byId[id].IsSpecial))
            {
                token = _byId[id];
                end = i + 1;
            }
        }
        return token is not null;
    }

    private static bool TouchesWord(string text, int start, int end) =>
        (start > 0 && Categories.IsRustWord(CodePoints.Before(text, start, out _)))
        || (end < text.Length && Categories.IsRustWord(CodePoints.At(text, end, out _)));
}
