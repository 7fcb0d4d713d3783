using System.Security.Cryptography;
using System.Text;

namespace MmCluster.Cluster.Deployment;

/// <summary>A gateway's key and what its holder may do. The key itself is not written down, only its hash.</summary>
public sealed record KeyGrant
{
    /// <summary>SHA-256 of the key's UTF-8 bytes, as 64 hexadecimal digits (<c>mm key hash</c>).</summary>
    public required string Hash { get; init; }

    /// <summary>Whose key it is, 1 to 64 of <c>[A-Za-z0-9._-]</c>: separates caches, turns and metrics. Several keys may share one.</summary>
    public required string Tenant { get; init; }

    /// <summary>Models it may use; null is all. Others are not found, as if they were not served.</summary>
    public IReadOnlyList<string>? Models { get; init; }

    /// <summary>Generations a second, in bursts of at most one second's worth; null is no limit.</summary>
    public double? RequestsPerSecond { get; init; }

    /// <summary>
    /// Prompt and output tokens a minute; null is no limit. Counted as they are used, so that one request may overdraw; the next then waits.
    /// </summary>
    public int? TokensPerMinute { get; init; }

    /// <summary>Generations at once; null is no limit.</summary>
    public int? Concurrency { get; init; }

    /// <summary>The most urgent priority it gets (lower runs first); what is more urgent is served at this one. Null is no ceiling.</summary>
    public int? PriorityCeiling { get; init; }

    /// <summary>Whether it may use admin routes.</summary>
    public bool Admin { get; init; }

    /// <summary>What stands in <see cref="Hash"/> for <paramref name="key"/>.</summary>
    public static string HashOf(string key) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
}
