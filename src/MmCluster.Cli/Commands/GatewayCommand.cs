using System.CommandLine;
using MmCluster.Cli.Clustering;
using MmCluster.Cli.Hosting;
using MmCluster.Cluster.Deployment;
using MmCluster.Silo;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm gateway</c>: HTTP and gRPC in front of a cluster's silos.</summary>
internal sealed class GatewayCommand : Command
{
    private readonly ClusterOptions _cluster = new();
    private readonly ConfigOptions _config = new();
    private readonly GatewayFlags _flags = new();
    private readonly LogOptions _logs = new();
    private readonly Option<string> _linkHost = new("--link-host")
    {
        Description = "Address that silos fetch media from this process by.",
        DefaultValueFactory = _ => "127.0.0.1",
    };

    public GatewayCommand(CommandContext context)
        : base("gateway", "Serve a cluster's models over OpenAI's HTTP interface and gRPC.")
    {
        this.AddAll([.. _config.All, .. _flags.All, .. _cluster.All, _linkHost, .. _logs.All]);
        this.Needs(_config.Overrides, _config.File);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        ClusterFile file = _config.Read(parsed, context);
        using Telemetry telemetry = _logs.StartTelemetry(parsed, context, "gateway", null);
        await using ClusterNode node = await ClusterNode.StartClientAsync(
            _cluster.Client(parsed, context, _cluster.Folder(parsed, context)) with { Host = parsed.GetRequiredValue(_linkHost) }, _logs.Of(parsed), cancellationToken);
        return await new ClusterFront(_flags, _config, context).RunAsync(parsed, file, node.Cluster, cancellationToken);
    }
}
