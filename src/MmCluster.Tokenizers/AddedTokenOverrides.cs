using MmCluster.Tokenizers.Json;
using MmCluster.Tokenizers.Subwords;

namespace MmCluster.Tokenizers;

/// <summary>What the files beside the vocabulary say about added tokens.</summary>
internal sealed class AddedTokenOverrides
{
    /// <summary>Nothing.</summary>
    public static AddedTokenOverrides None { get; } = new();

    /// <summary>Tokens with their ids (added_tokens.json, added_tokens_decoder).</summary>
    public List<AddedToken> Tokens { get; } = [];

    /// <summary>Texts that are special wherever they are tokens.</summary>
    public HashSet<string> Special { get; } = new(StringComparer.Ordinal);

    /// <summary>Reads an added token in the form that all of these files share.</summary>
    public static AddedToken Read(JsonPart part, string content, int id)
    {
        if (id is < 0 or > Vocabulary.MaxId)
        {
            throw new InvalidDataException($"{part.Path}: id {id}; ids lie in 0..{Vocabulary.MaxId}");
        }
        bool special = part.BoolOr("special", false);
        return new AddedToken(id, content, special)
        {
            SingleWord = part.BoolOr("single_word", false),
            StripLeft = part.BoolOr("lstrip", false),
            StripRight = part.BoolOr("rstrip", false),
            Normalized = part.BoolOr("normalized", !special),
        };
    }

    /// <summary>The tokens with these changes applied; a token that exists keeps how it is found.</summary>
    public Dictionary<int, AddedToken> Apply(Dictionary<int, AddedToken> tokens, Func<string, int?> idOf)
    {
        foreach (AddedToken token in Tokens)
        {
            int id = idOf(token.Content) ?? token.Id;
            if (tokens.TryGetValue(id, out AddedToken? known) && known.Content == token.Content)
            {
                tokens[id] = known with { IsSpecial = known.IsSpecial || token.IsSpecial };
            }
            else if (known is null)
            {
                tokens[id] = token with { Id = id };
            }
        }
        foreach (string content in Special)
        {
            AddedToken? known = tokens.Values.FirstOrDefault(token => token.Content == content);
            if (known is not null)
            {
                tokens[known.Id] = known with { IsSpecial = true };
            }
            else if (idOf(content) is { } id && content.Length > 0 && !tokens.ContainsKey(id))
            {
                tokens[id] = new AddedToken(id, content, IsSpecial: true);
            }
        }
        return tokens;
    }
}
