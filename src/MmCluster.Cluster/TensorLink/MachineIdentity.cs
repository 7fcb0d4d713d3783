namespace MmCluster.Cluster.TensorLink;

/// <summary>Tells which processes can reach each other's abstract unix sockets: those of one boot and one network namespace.</summary>
internal static class MachineIdentity
{
    public static string Current { get; } = Read();

    private static string Read()
    {
        string boot = File.Exists("/proc/sys/kernel/random/boot_id") ? File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim() : Environment.MachineName;
        string? network = new FileInfo("/proc/self/ns/net").LinkTarget;
        return $"{boot}/{network}";
    }
}
