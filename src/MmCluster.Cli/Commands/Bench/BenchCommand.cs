using System.CommandLine;
using MmCluster.Cli.Hosting;

namespace MmCluster.Cli.Commands.Bench;

/// <summary><c>mm bench</c>: what measures speed.</summary>
internal sealed class BenchCommand : Command
{
    public BenchCommand(CommandContext context)
        : base("bench", "Measure speed.")
    {
        Add(new BenchLlmCommand(context));
        Add(new BenchEncoderCommand(context));
        Add(new BenchEngineCommand(context));
        Add(new BenchServeCommand(context));
        Add(new BenchGatewayCommand(context));
    }
}
