using System.Text;
using MmCluster.Tokenizers.Decoders;

namespace MmCluster.Tokenizers;

/// <summary>What a kind of tokenizer must be able to do. Thread-safe.</summary>
internal abstract class TokenizerCore
{
    /// <summary>The tokens that are looked for in the text itself, by id.</summary>
    public abstract IReadOnlyDictionary<int, AddedToken> AddedTokens { get; }

    /// <summary>One more than the largest id.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>
    /// Adds the ids of well-formed <paramref name="text"/>. <paramref name="untrusted"/> flags the units that came from a
    /// user; null trusts all, and then the model itself may yield special ids too, as the reference's does.
    /// </summary>
    public abstract void Encode(string text, bool[]? untrusted, List<int> ids);

    /// <summary>The sequence with the special tokens that belong around it.</summary>
    public abstract List<int> AddSpecialTokens(List<int> ids);

    /// <summary>A token's id, or null.</summary>
    public abstract int? IdOf(string token);

    /// <summary>An id's token as the vocabulary spells it, or null.</summary>
    public abstract string? TokenOf(int id);

    /// <summary>Begins to decode a sequence into <paramref name="output"/>.</summary>
    public abstract IdDecoder CreateDecoder(StringBuilder output);
}

/// <summary>Decodes one sequence, id by id. Not thread-safe.</summary>
internal abstract class IdDecoder
{
    /// <summary>Takes the next id that has a token.</summary>
    public abstract void Write(int id);

    /// <summary>Writes out whatever is held back.</summary>
    public abstract void Finish();
}

/// <summary>Feeds tokens to a row of steps.</summary>
internal sealed class TokenIdDecoder(Func<int, string?> tokenOf, TokenDecoder first) : IdDecoder
{
    public override void Write(int id)
    {
        if (tokenOf(id) is { } token)
        {
            first.Write(token, endOfToken: true);
        }
    }

    public override void Finish() => first.Finish();
}
