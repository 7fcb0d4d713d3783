using System.CommandLine;
using System.Globalization;
using MmCluster.Cli.Clustering;
using MmCluster.Cli.Hosting;
using MmCluster.Protos.V1;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm drain</c>: takes a node out of service, and waits until nothing is left on it.</summary>
internal sealed class DrainCommand : Command
{
    private readonly AdminConnection _admin = new();
    private readonly Argument<string> _node = new("NODE") { Description = "A node's name or address." };

    public DrainCommand(CommandContext context)
        : base("drain", "Take a node out of service: what runs there ends first.")
    {
        Add(_node);
        _admin.AddTo(this);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken) =>
        _admin.CallAsync(parsed, context, async client =>
        {
            string node = parsed.GetRequiredValue(_node);
            bool done = false;
            string said = "";
            await foreach (DrainEvent progress in client.DrainAsync(node, cancellationToken))
            {
                done = progress.Done;
                string problem = progress.Problem.Length > 0 ? $": {progress.Problem}" : "";
                string line = string.Create(CultureInfo.InvariantCulture, $"{node}: {progress.Stages} stages, {progress.Running} requests left{problem}");
                if (line != said)
                {
                    await context.Error.WriteLineAsync(line);
                }
                said = line;
            }
            if (parsed.GetValue(GlobalOptions.Json))
            {
                await context.Out.WriteLineAsync(JsonLine.Of(new { schema = 1, node, done }));
            }
            return done ? ExitCodes.Done : ExitCodes.No;
        });
}
