namespace MmCluster.Engine;

/// <summary>What one step gave, over all requests. Reused: valid until the reader asks for the next.</summary>
public sealed class StepOutputs
{
    /// <summary>The step that made them.</summary>
    public long Step { get; set; }

    /// <summary>One entry a sequence that advanced or ended.</summary>
    public List<SequenceOutput> Outputs { get; } = [];

    /// <summary>Memory behind the outputs' token ids.</summary>
    internal Scheduling.PlanList<int> Ids { get; } = new();
}

/// <summary>What a sequence gained in a step.</summary>
/// <param name="RequestId">The request.</param>
/// <param name="Choice">Which of its choices.</param>
/// <param name="SequenceNumber">Output tokens of this choice before this entry: consumers drop what they have seen.</param>
/// <param name="TokenIds">New tokens.</param>
/// <param name="Text">New text: whole characters only, held back while it may become a stop string.</param>
/// <param name="Finish">Why it ended, or null while it goes on.</param>
public readonly record struct SequenceOutput(
    string RequestId, int Choice, int SequenceNumber, ReadOnlyMemory<int> TokenIds, string Text, FinishReason? Finish)
{
    /// <summary>Logprobs of <see cref="TokenIds"/> where asked for.</summary>
    public IReadOnlyList<OutputLogprobs>? Logprobs { get; init; }

    /// <summary>Token counts, on the last entry of a choice.</summary>
    public Usage? Usage { get; init; }

    /// <summary>A media item that the model asked a generator for, on an entry of its own without tokens; or null.</summary>
    public MediaOutput? Media { get; init; }

    /// <summary>How far the request is, on an entry of its own without tokens where that was asked for; or null.</summary>
    public Hosting.RequestProgress? Progress { get; init; }

    /// <summary>
    /// What went wrong, when <see cref="Finish"/> is Error, or Cancelled by a deadline (DeadlineExceeded); without one, a media item that could not be made.
    /// </summary>
    public Models.MmException? Error { get; init; }
}

/// <summary>A generated media item.</summary>
/// <param name="ContentType">What its bytes are, as image/png.</param>
/// <param name="Bytes">The file.</param>
public sealed record MediaOutput(string ContentType, ReadOnlyMemory<byte> Bytes);

/// <summary>A token's logprob and the best alternatives, in falling order.</summary>
public sealed record OutputLogprobs(TokenLogprob Chosen, IReadOnlyList<TokenLogprob> Top);

/// <summary>Tokens a request used.</summary>
/// <param name="PromptTokens">Prompt positions, media included.</param>
/// <param name="CachedTokens">Of those, how many came from the prefix cache.</param>
/// <param name="CompletionTokens">Tokens generated for this choice.</param>
public sealed record Usage(int PromptTokens, int CachedTokens, int CompletionTokens);

/// <summary>Why a sequence ended.</summary>
public enum FinishReason
{
    /// <summary>An end-of-sequence token, stop token or stop string.</summary>
    Stop,

    /// <summary>The token limit or the model's length.</summary>
    Length,

    /// <summary>The caller cancelled, or its deadline passed.</summary>
    Cancelled,

    /// <summary>It failed; see the error.</summary>
    Error,
}
