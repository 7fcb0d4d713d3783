using System.CommandLine;
using MmCluster.Cli.Clustering;
using MmCluster.Cli.Hosting;
using MmCluster.Cluster.Deployment;
using MmCluster.Protos.V1;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm deploy</c>: makes a running cluster do what a file says.</summary>
internal sealed class DeployCommand : Command
{
    private readonly AdminConnection _admin = new();
    private readonly Argument<string> _file = new("FILE") { Description = "A cluster.yaml." };
    private readonly Option<bool> _dryRun = new("--dry-run") { Description = "Only tell what would change." };

    public DeployCommand(CommandContext context)
        : base("deploy", "Apply a cluster.yaml to a running cluster.")
    {
        Add(_file);
        Add(_dryRun);
        _admin.AddTo(this);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken) =>
        _admin.CallAsync(parsed, context, async client =>
        {
            // Read here first: a fault is named with the file's own name, and nothing is sent.
            string path = parsed.GetRequiredValue(_file);
            _ = ClusterFile.Read(path);
            DeployResponse applied = await client.DeployAsync(await File.ReadAllTextAsync(path, cancellationToken), parsed.GetValue(_dryRun), cancellationToken);
            if (parsed.GetValue(GlobalOptions.Json))
            {
                await context.Out.WriteLineAsync(JsonLine.Of(new { schema = 1, changes = applied.Changes, needs_restart = applied.NeedsRestart }));
                return ExitCodes.Done;
            }
            foreach (string change in applied.Changes.DefaultIfEmpty("nothing changes"))
            {
                await context.Out.WriteLineAsync(change);
            }
            foreach (string key in applied.NeedsRestart)
            {
                await context.Out.WriteLineAsync($"needs a restart of the gateways: {key}");
            }
            return ExitCodes.Done;
        });
}
