using System.CommandLine;

namespace MmCluster.Cli.Commands;

/// <summary><c>--device</c>, the same on every command.</summary>
internal static class DeviceOption
{
    public static Option<string> Create() => new("--device")
    {
        Description = "Where to run: cpu, or cuda:N.",
        DefaultValueFactory = _ => "cpu",
    };
}
