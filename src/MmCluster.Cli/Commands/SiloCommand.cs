using System.CommandLine;
using System.Net;
using MmCluster.Cli.Clustering;
using MmCluster.Cli.Hosting;
using MmCluster.Cluster.Hosting;
using MmCluster.Gateway.Hosting;
using MmCluster.Silo;
using MmCluster.Tensors;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm silo</c>: a node of a cluster, which runs stages of models until it is stopped.</summary>
internal sealed class SiloCommand : Command
{
    private readonly ClusterOptions _cluster = new();
    private readonly LogOptions _logs = new();
    private readonly Option<string?> _name = new("--name") { Description = "Its name, as `mm status` shows it and `mm drain` takes it; default: machine and process id." };
    private readonly Option<string> _role = new("--role") { Description = "What it is for; deployments may ask for a role.", DefaultValueFactory = _ => "worker" };
    private readonly Option<string> _zone = new("--zone") { Description = "Where it stands.", DefaultValueFactory = _ => "" };
    private readonly Option<string> _host = new("--host") { Description = "Address that others reach it by.", DefaultValueFactory = _ => "127.0.0.1" };
    private readonly Option<int> _siloPort = NumberOptions.Port("--silo-port", 0, "Port for other silos; 0 picks a free one.");
    private readonly Option<int> _gatewayPort = NumberOptions.Port("--gateway-port", 0, "Port for gateways and tools; 0 picks a free one.");
    private readonly Option<long?> _memory = NumberOptions.BytesOrNone("--memory-bytes", "Memory that stages may use; default: 80 % of the machine's.");
    private readonly Option<int?> _metricsPort = NumberOptions.PortOrNone("--metrics-port", "TCP port of /metrics and /health; 0 picks a free one; default: none.");
    private readonly Option<int> _threads = ThreadsOption.Create();

    public SiloCommand(CommandContext context)
        : base("silo", "Join a cluster as a node that runs stages.")
    {
        this.AddAll([.. _cluster.All, _name, _role, _zone, _host, _siloPort, _gatewayPort, _memory, _metricsPort, _threads, .. _logs.All]);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        Device.Cpu.Threads = parsed.GetValue(_threads);
        MmSiloOptions options = _cluster.Silo(parsed, context, _cluster.Folder(parsed, context)) with
        {
            Name = parsed.GetValue(_name),
            Role = parsed.GetRequiredValue(_role),
            Zone = parsed.GetRequiredValue(_zone),
            Host = parsed.GetRequiredValue(_host),
            SiloPort = parsed.GetValue(_siloPort),
            GatewayPort = parsed.GetValue(_gatewayPort),
            MemoryBytes = parsed.GetValue(_memory),
        };
        using Telemetry telemetry = _logs.StartTelemetry(parsed, context, "silo", parsed.GetValue(_name));
        await using ClusterNode node = await ClusterNode.StartSiloAsync(options, _logs.Of(parsed), cancellationToken);
        await using MetricsServer? metrics = parsed.GetValue(_metricsPort) is { } port
            ? await MetricsServer.StartAsync(IPAddress.Parse(options.Host), port, cancellationToken)
            : null;
        await context.Error.WriteLineAsync($"silo: {options.Role} at {node.Address}");
        await NodeRun.TellGpusAsync(node.Devices, context.Error);
        if (parsed.GetValue(GlobalOptions.Json))
        {
            await context.Out.WriteLineAsync(JsonLine.Of(new { schema = 1, address = node.Address, metrics_url = metrics?.Address }));
        }
        return await NodeRun.UntilStoppedAsync(node.Devices, cancellationToken);
    }
}
