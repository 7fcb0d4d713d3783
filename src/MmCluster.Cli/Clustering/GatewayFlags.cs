using System.CommandLine;
using MmCluster.Cli.Commands;
using MmCluster.Cli.Hosting;
using MmCluster.Cluster.Deployment;
using MmCluster.Gateway.Clustering;
using MmCluster.Gateway.Hosting;

namespace MmCluster.Cli.Clustering;

/// <summary>The flags of a gateway in a cluster; where one is not given the file's value holds, then the gateway's default.</summary>
internal sealed class GatewayFlags
{
    private readonly Option<string?> _host = new("--host") { Description = "Address to listen on; default: 127.0.0.1." };
    private readonly Option<int?> _port = NumberOptions.PortOrNone("--port", "TCP port of HTTP and gRPC; 0 picks a free one; default: 8000.");
    private readonly Option<int?> _grpcPort = NumberOptions.PortOrNone("--grpc-port", "One more port, for gRPC alone; default: none.");
    private readonly Option<string?> _apiKey = new("--api-key") { Description = "A key without limits, beside those of the file (MM_API_KEY)." };

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [_host, _port, _grpcPort, _apiKey];

    public GatewayOptions Options(ParseResult parsed, CommandContext context, ClusterFile file, ClusterControl? control)
    {
        GatewaySettings settings = file.Gateway;
        var defaults = new GatewayOptions();
        return defaults with
        {
            Host = parsed.GetValue(_host) ?? settings.Host ?? defaults.Host,
            Port = parsed.GetValue(_port) ?? settings.Port ?? defaults.Port,
            GrpcPort = parsed.GetValue(_grpcPort) ?? settings.GrpcPort,
            ApiKey = parsed.GetValue(_apiKey) ?? context.Environment("MM_API_KEY"),
            Keys = file.Keys,
            MaxQueue = settings.MaxQueue,
            MaxRunning = settings.MaxRunning,
            MaxRequestBytes = settings.MaxRequestBytes ?? defaults.MaxRequestBytes,
            RequestTimeout = settings.RequestTimeout ?? defaults.RequestTimeout,
            ShutdownTimeout = settings.ShutdownTimeout ?? defaults.ShutdownTimeout,
            AllowedMediaDomains = settings.AllowedMediaDomains,
            Control = control,
        };
    }
}
