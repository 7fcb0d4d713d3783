namespace MmCluster.Cluster.Deployment;

/// <summary>A gateway's key and what its holder may do. The key itself is not written down, only its hash.</summary>
public sealed record KeyGrant
{
    /// <summary>SHA-256 of the key's UTF-8 bytes, as 64 hexadecimal digits (<c>mm key hash</c>).</summary>
    public required string Hash { get; init; }

    /// <summary>Whose key it is: separates caches, turns and metrics.</summary>
    public required string Tenant { get; init; }

    /// <summary>Models it may use; null is all.</summary>
    public IReadOnlyList<string>? Models { get; init; }

    /// <summary>Generations a second; null is no limit.</summary>
    public double? RequestsPerSecond { get; init; }

    /// <summary>Prompt and output tokens a minute; null is no limit.</summary>
    public int? TokensPerMinute { get; init; }

    /// <summary>Generations at once; null is no limit.</summary>
    public int? Concurrency { get; init; }

    /// <summary>The most urgent priority it gets (lower runs first); null is no ceiling.</summary>
    public int? PriorityCeiling { get; init; }

    /// <summary>Whether it may use admin routes.</summary>
    public bool Admin { get; init; }
}
