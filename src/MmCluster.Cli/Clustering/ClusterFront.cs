using System.CommandLine;
using System.Runtime.InteropServices;
using MmCluster.Cli.Hosting;
using MmCluster.Cluster;
using MmCluster.Cluster.Deployment;
using MmCluster.Gateway.Clustering;
using MmCluster.Gateway.Hosting;
using MmCluster.Models;

namespace MmCluster.Cli.Clustering;

/// <summary>A gateway over a cluster, from its start to its stop: it applies the file, again at each SIGHUP.</summary>
internal sealed class ClusterFront(GatewayFlags flags, ConfigOptions config, CommandContext context)
{
    /// <summary>Runs until a stop is asked for.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="file">The file as it was read first.</param>
    /// <param name="cluster">What runs the models.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<int> RunAsync(ParseResult parsed, ClusterFile file, IModelCluster cluster, CancellationToken cancellationToken)
    {
        using var control = new ClusterControl(cluster);
        control.StartedWith(file);
        await cluster.ConnectedAsync(cancellationToken);
        await using GatewayServer server = await GatewayServer.StartAsync(
            ClusterServedModels.Of(cluster), flags.Options(parsed, context, file, control), TimeProvider.System, cancellationToken);
        await context.Error.WriteLineAsync($"gateway: HTTP and gRPC on {server.Address}");
        await ApplyAsync(control, file, cancellationToken);
        using PosixSignalRegistration reload = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
        {
            signal.Cancel = true;
            _ = ReloadAsync(parsed, control, cancellationToken);
        });
        if (parsed.GetValue(GlobalOptions.Json))
        {
            await context.Out.WriteLineAsync(JsonLine.Of(new { schema = 1, base_url = server.Address }));
        }
        await cancellationToken.UntilCancelledAsync();
        return ExitCodes.Done;
    }

    private async Task ReloadAsync(ParseResult parsed, ClusterControl control, CancellationToken cancellationToken)
    {
        if (config.Path(parsed) is not { } path)
        {
            await context.Error.WriteLineAsync("gateway: SIGHUP without --config changes nothing");
            return;
        }
        try
        {
            if (!await ApplyAsync(control, config.Read(parsed, context), cancellationToken))
            {
                await context.Error.WriteLineAsync($"gateway: {path}: nothing changes");
            }
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            await context.Error.WriteLineAsync($"gateway: {path} is not applied, what runs goes on: {MmException.From(error).Message}");
        }
    }

    private async Task<bool> ApplyAsync(ClusterControl control, ClusterFile file, CancellationToken cancellationToken)
    {
        AppliedFile applied = await control.ApplyAsync(file, dryRun: false, cancellationToken);
        if (applied.Changes.Count > 0)
        {
            await context.Error.WriteLineAsync($"gateway: applied: {string.Join("; ", applied.Changes)}");
        }
        if (applied.NeedRestart.Count > 0)
        {
            await context.Error.WriteLineAsync($"gateway: takes effect when this process starts again: {string.Join(", ", applied.NeedRestart)}");
        }
        return applied.Changes.Count + applied.NeedRestart.Count > 0;
    }
}
