using System.CommandLine;
using MmCluster.Cli.Commands.Bench;
using MmCluster.Cli.Hosting;

namespace MmCluster.Cli.Commands;

/// <summary>The commands of <c>mm</c>, in the order in which help lists them.</summary>
internal static class CommandCatalog
{
    public static IEnumerable<Command> All(CommandContext context) =>
    [
        new DemoCommand(context),
        new RunCommand(context),
        new ChatCommand(context),
        new ServeCommand(context),
        new SiloCommand(context),
        new GatewayCommand(context),
        new StatusCommand(context),
        new ScaleCommand(context),
        new DrainCommand(context),
        new DeployCommand(context),
        new KeyCommand(context),
        new ModelsCommand(context),
        new PullCommand(context),
        new InspectCommand(context),
        new VerifyCommand(context),
        new EvalCommand(context),
        new BenchCommand(context),
    ];
}
