using MmCluster.Engine;
using MmCluster.Models;

namespace MmCluster.Cluster.Wire;

/// <summary>What one step of a backbone gave to one gateway: the only message of that step between them.</summary>
[GenerateSerializer, Immutable, Alias("mm.StepBatch")]
internal sealed class StepBatch
{
    /// <summary>Rises by one a message of this gateway and replica; a reader asks again from the last it has.</summary>
    [Id(0)]
    public required long Number { get; init; }

    /// <summary>Token ids of all entries.</summary>
    [Id(1)]
    public required int[] Ids { get; init; }

    /// <summary>One entry a sequence that advanced or ended.</summary>
    [Id(2)]
    public required TokenEntry[] Entries { get; init; }
}

/// <summary>What one sequence gained.</summary>
[GenerateSerializer, Immutable, Alias("mm.TokenEntry")]
internal struct TokenEntry
{
    [Id(0)]
    public long Handle;

    [Id(1)]
    public int Choice;

    /// <summary>Output tokens of the choice before this entry.</summary>
    [Id(2)]
    public int Sequence;

    /// <summary>How many of the batch's ids are this entry's, in order.</summary>
    [Id(3)]
    public int Count;

    [Id(4)]
    public string? Text;

    [Id(5)]
    public FinishReason? Finish;

    [Id(6)]
    public EntryExtra? Extra;
}

/// <summary>What few entries have.</summary>
[GenerateSerializer, Immutable, Alias("mm.EntryExtra")]
internal sealed class EntryExtra
{
    [Id(0)]
    public int PromptTokens { get; init; }

    [Id(1)]
    public int CachedTokens { get; init; }

    [Id(2)]
    public int CompletionTokens { get; init; }

    [Id(3)]
    public bool HasUsage { get; init; }

    [Id(4)]
    public MmException? Error { get; init; }

    /// <summary>Ids and logprobs, a list a token: the chosen one first, then the alternatives.</summary>
    [Id(5)]
    public LogprobList[]? Logprobs { get; init; }

    public Usage? Usage => HasUsage ? new Usage(PromptTokens, CachedTokens, CompletionTokens) : null;

    public static EntryExtra? Of(in SequenceOutput output) =>
        output.Usage is null && output.Error is null && output.Logprobs is null ? null : new EntryExtra
        {
            PromptTokens = output.Usage?.PromptTokens ?? 0,
            CachedTokens = output.Usage?.CachedTokens ?? 0,
            CompletionTokens = output.Usage?.CompletionTokens ?? 0,
            HasUsage = output.Usage is not null,
            Error = output.Error,
            Logprobs = output.Logprobs is { } logprobs ? [.. logprobs.Select(LogprobList.Of)] : null,
        };
}

/// <summary>A token's logprob and its alternatives'.</summary>
[GenerateSerializer, Immutable, Alias("mm.LogprobList")]
internal struct LogprobList
{
    [Id(0), Immutable]
    public int[] Ids;

    [Id(1), Immutable]
    public float[] Values;

    public static LogprobList Of(OutputLogprobs source) => new()
    {
        Ids = [source.Chosen.Id, .. source.Top.Select(top => top.Id)],
        Values = [source.Chosen.Logprob, .. source.Top.Select(top => top.Logprob)],
    };

    public readonly OutputLogprobs ToLogprobs()
    {
        var top = new TokenLogprob[Ids.Length - 1];
        for (int i = 0; i < top.Length; i++)
        {
            top[i] = new TokenLogprob(Ids[i + 1], Values[i + 1]);
        }
        return new OutputLogprobs(new TokenLogprob(Ids[0], Values[0]), top);
    }
}
