using System.CommandLine;

namespace MmCluster.Cli.Hosting;

/// <summary>Options that every command has.</summary>
internal static class GlobalOptions
{
    public static readonly Option<bool> Json = new("--json")
    {
        Description = "Print the answer as one JSON object, the last line of standard output.",
        Recursive = true,
    };
}
