namespace MmCluster.Cli.Benchmarks.Serving;

/// <summary>What one request took. Times are in milliseconds.</summary>
internal sealed record RequestTiming
{
    /// <summary>What went wrong, or null.</summary>
    public string? Error { get; init; }

    public int PromptTokens { get; init; }

    public int OutputTokens { get; init; }

    /// <summary>From sending to the first event with a token.</summary>
    public double TimeToFirstToken { get; init; }

    /// <summary>From sending to the last event.</summary>
    public double EndToEnd { get; init; }

    /// <summary>Gaps between events with tokens.</summary>
    public IReadOnlyList<double> InterTokenLatencies { get; init; } = [];

    /// <summary>Mean time of a token after the first; null with fewer than two.</summary>
    public double? TimePerOutputToken => OutputTokens > 1 ? (EndToEnd - TimeToFirstToken) / (OutputTokens - 1) : null;

    /// <summary>Whether every bound of <paramref name="goodput"/> is met.</summary>
    public bool Meets(IReadOnlyDictionary<string, double> goodput) => Error is null && goodput.All(bound => bound.Key switch
    {
        "ttft" => TimeToFirstToken <= bound.Value,
        "tpot" => (TimePerOutputToken ?? 0) <= bound.Value,
        "e2el" => EndToEnd <= bound.Value,
        _ => throw new ArgumentException($"--goodput knows ttft, tpot and e2el, not '{bound.Key}'"),
    });
}
