using MmCluster.Engine.Scheduling;

namespace MmCluster.Engine.Structured;

/// <summary>A text constraint compiled against a vocabulary. Shared by the choices of a request; safe to read from any thread.</summary>
internal abstract class TokenGrammar
{
    /// <summary>A matcher at the start of the text. <paramref name="endTokens"/> are allowed where the text may end.</summary>
    public abstract GrammarMatcher CreateMatcher(int[] endTokens);
}

/// <summary>Follows one output through a grammar.</summary>
internal abstract class GrammarMatcher
{
    /// <summary>Takes a token in; true when the text is complete and nothing can follow.</summary>
    public abstract bool Advance(int token);

    /// <summary>How many of <paramref name="tokens"/>, one after another, the grammar allows from here.</summary>
    public abstract int CountAllowed(ReadOnlySpan<int> tokens);

    /// <summary>Appends the mask of allowed tokens here and behind each draft, all of which are allowed.</summary>
    public abstract void AddMasks(PlanList<uint> masks, ReadOnlySpan<int> drafts);
}
