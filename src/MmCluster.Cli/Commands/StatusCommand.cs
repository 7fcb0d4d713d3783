using System.CommandLine;
using MmCluster.Cli.Clustering;
using MmCluster.Cli.Hosting;
using MmCluster.Protos.V1;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm status</c>: nodes, models, stages and their load.</summary>
internal sealed class StatusCommand : Command
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly AdminConnection _admin = new();
    private readonly Option<bool> _watch = new("--watch") { Description = "Show it anew every second until Ctrl-C." };

    public StatusCommand(CommandContext context)
        : base("status", "Show a cluster's nodes, models, stages and load.")
    {
        _admin.AddTo(this);
        Add(_watch);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken) =>
        _admin.CallAsync(parsed, context, async client =>
        {
            bool json = parsed.GetValue(GlobalOptions.Json);
            if (!parsed.GetValue(_watch))
            {
                await WriteAsync(await client.StatusAsync(cancellationToken), json, context);
                return ExitCodes.Done;
            }
            using var timer = new PeriodicTimer(Interval);
            try
            {
                do
                {
                    ClusterStatus status = await client.StatusAsync(cancellationToken);
                    if (context.Interactive && !json)
                    {
                        await context.Out.WriteAsync("\u001b[H\u001b[2J");
                    }
                    await WriteAsync(status, json, context);
                }
                while (await timer.WaitForNextTickAsync(cancellationToken));
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // How a watch ends.
            }
            return ExitCodes.Done;
        });

    private static Task WriteAsync(ClusterStatus status, bool json, CommandContext context) =>
        context.Out.WriteLineAsync(json ? StatusText.Json(status) : StatusText.Of(status));
}
