namespace MmCluster.Protos.Tests;

/// <summary>What may change between releases: things may be added, and a field may go when its number is reserved; nothing else.</summary>
internal static class ContractRules
{
    /// <summary>The promises of <paramref name="contract"/> that <paramref name="current"/> does not keep.</summary>
    public static string[] Broken(IReadOnlyCollection<string> contract, IReadOnlyCollection<string> current)
    {
        var kept = current.ToHashSet(StringComparer.Ordinal);
        return [.. contract.Where(line => !kept.Contains(line) && !IsReserved(line, kept))];
    }

    private static bool IsReserved(string line, HashSet<string> current) =>
        line.Split(' ') is ["field", var message, var number, ..] && current.Contains($"reserved {message} {number}");
}
