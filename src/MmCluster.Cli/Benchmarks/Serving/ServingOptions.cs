namespace MmCluster.Cli.Benchmarks.Serving;

/// <summary>What a serving benchmark sends; names, units and defaults are those of <c>vllm bench serve</c>.</summary>
internal sealed record ServingOptions
{
    public required Uri BaseUrl { get; init; }

    /// <summary>Null takes the first of /v1/models.</summary>
    public string? Model { get; init; }

    public string? ApiKey { get; init; }

    public int PromptCount { get; init; } = 100;

    /// <summary>Requests a second; infinity sends all at once.</summary>
    public double RequestRate { get; init; } = double.PositiveInfinity;

    /// <summary>Shape of the gamma distribution of arrival gaps: 1 is a Poisson process, below is burstier.</summary>
    public double Burstiness { get; init; } = 1;

    /// <summary>Requests in flight at once; null is unlimited.</summary>
    public int? MaxConcurrency { get; init; }

    /// <summary>Tokens a prompt, shared prefix not counted.</summary>
    public int InputLength { get; init; } = 1024;

    public int OutputLength { get; init; } = 128;

    /// <summary>Lengths are drawn uniformly from [L (1 - r), L (1 + r)].</summary>
    public double RangeRatio { get; init; }

    /// <summary>Tokens in front of every prompt, the same for all.</summary>
    public int PrefixLength { get; init; }

    /// <summary>Ids are drawn from [259, this): below 259 lie special and byte tokens.</summary>
    public int? VocabularySize { get; init; }

    /// <summary>Pictures a request; above 0 the chat route is used.</summary>
    public int ImagesPerRequest { get; init; }

    /// <summary>Width and height of the pictures.</summary>
    public (int Width, int Height) ImageSize { get; init; } = (336, 336);

    public bool IgnoreEos { get; init; }

    public int Seed { get; init; }

    /// <summary>Requests sent and awaited before the clock starts.</summary>
    public int WarmupCount { get; init; }

    /// <summary>Bounds in milliseconds by metric (ttft, tpot, e2el) that a request must meet to count as good.</summary>
    public IReadOnlyDictionary<string, double> Goodput { get; init; } = new Dictionary<string, double>();
}
