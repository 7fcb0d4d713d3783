using System.Globalization;

namespace MmCluster.Cluster.Nodes;

/// <summary>The devices of a node that one stage takes: a single one, or GPUs in a row, a rank on each.</summary>
internal static class DeviceSpan
{
    /// <summary>The names of <paramref name="count"/> devices from <paramref name="first"/> on; more than one only of GPUs.</summary>
    public static IReadOnlyList<string> Names(string first, int count) => count == 1 ? [first]
        : [.. Enumerable.Range(int.Parse(first.AsSpan(first.IndexOf(':', StringComparison.Ordinal) + 1), CultureInfo.InvariantCulture), count).Select(index => $"cuda:{index}")];

    /// <summary>Where spans of <paramref name="count"/> may begin among a node's devices; "cuda" may be any GPU.</summary>
    public static IEnumerable<string> Starts(IReadOnlyCollection<string> known, string device, int count) => known
        .Where(name => name == device || name.StartsWith(device + ':', StringComparison.Ordinal))
        .Where(name => Names(name, count).All(known.Contains));
}
