using System.CommandLine;
using MmCluster.Cli.Hosting;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Engine.Simulation;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Models;
using MmCluster.Models.Catalog;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm serve</c>: a model behind OpenAI's HTTP interface and gRPC, in this process.</summary>
internal sealed class ServeCommand : Command
{
    private readonly ModelOptions _model = new();
    private readonly Option<string> _host = new("--host") { Description = "Address to listen on.", DefaultValueFactory = _ => "127.0.0.1" };
    private readonly Option<int> _port = NumberOptions.Port("--port", 8000, "TCP port; 0 picks a free one.");
    private readonly Option<int?> _grpcPort = NumberOptions.PortOrNone("--grpc-port", "TCP port of the gRPC services; 0 picks a free one; default: the port after --port.");
    private readonly Option<string?> _apiKey = new("--api-key") { Description = "Key that clients must send; default: none." };
    private readonly Option<string?> _name = new("--served-model-name") { Description = "Name that requests use; default: the model's." };
    private readonly Option<int> _maxNumSeqs = NumberOptions.Positive("--max-num-seqs", 256, "Sequences computed at once.");
    private readonly Option<int> _maxTokens = NumberOptions.Positive("--max-num-batched-tokens", 2048, "Positions computed in one step.");
    private readonly Option<int> _maxQueue = NumberOptions.Positive("--max-queue", 4096, "Cost units (a choice is 1, a media item 1) accepted at once; more get 503.");
    private readonly Option<string> _policy = new("--scheduling-policy") { Description = "fcfs or priority.", DefaultValueFactory = _ => "priority" };
    private readonly Option<bool> _noPrefixCache = new("--no-enable-prefix-caching") { Description = "Compute every prompt anew." };
    private readonly Option<int> _speculative = NumberOptions.Count("--speculative-tokens", "Tokens guessed a step by prompt lookup; 0 is off.");
    private readonly Option<double?> _requestTimeout = NumberOptions.SecondsOrNone("--request-timeout", "Seconds after which a request is given up.");
    private readonly Option<double> _shutdownTimeout = NumberOptions.Seconds(
        "--shutdown-timeout", 30, "Seconds that running requests may go on after a stop.");

    private readonly Option<string[]> _mediaDomains = new("--allowed-media-domains")
    {
        Description = "Hosts that media URLs may name: example.com, *.example.com, or * for all of the public internet; default: none.",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [],
    };

    private readonly Option<bool> _simulate = new("--simulate") { Description = "No weights: MODEL is a profile file of stage times, if named." };

    public ServeCommand(CommandContext context)
        : base("serve", "Serve a model over OpenAI's HTTP interface and gRPC.")
    {
        _policy.AcceptOnlyFromAmong("fcfs", "priority");
        _model.AddTo(this);
        foreach (Option option in (Option[])[_host, _port, _grpcPort, _apiKey, _name, _maxNumSeqs, _maxTokens, _maxQueue, _policy, _noPrefixCache,
            _speculative, _requestTimeout, _shutdownTimeout, _mediaDomains, _simulate])
        {
            Add(option);
        }
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken) =>
        parsed.GetValue(_simulate) ? SimulateAsync(parsed, context, cancellationToken) : ServeAsync(parsed, context, cancellationToken);

    private async Task<int> ServeAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        LocatedModel located = ModelOptions.Locate(_model.Name(parsed), context);
        await using LocalModel model = _model.Load(parsed, located, Engine(parsed));
        var served = new LocalServedModel(parsed.GetValue(_name) ?? located.Name, model, TimeProvider.System.GetUtcNow());
        await using GatewayServer server = await StartAsync(parsed, served, context, cancellationToken);
        await served.WarmUpAsync(cancellationToken);
        await context.Error.WriteLineAsync("ready");
        await DescribeAsync(parsed, served, server, context);
        return await UntilStoppedAsync(cancellationToken);
    }

    private async Task<int> SimulateAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        string? profile = _model.Name(parsed);
        await using var model = new SimulatedServedModel(
            parsed.GetValue(_name) ?? "simulated",
            profile is null ? new SimulationProfile() : SimulationProfile.Load(profile),
            Engine(parsed) with { MaxModelLength = _model.MaxLength(parsed) },
            TimeProvider.System);
        await using GatewayServer server = await StartAsync(parsed, model, context, cancellationToken);
        await DescribeAsync(parsed, model, server, context);
        return await UntilStoppedAsync(cancellationToken);
    }

    private async Task<GatewayServer> StartAsync(
        ParseResult parsed, IServedModel model, CommandContext context, CancellationToken cancellationToken)
    {
        GatewayServer server = await GatewayServer.StartAsync(
            new ServedModels([model]),
            new GatewayOptions
            {
                Host = parsed.GetRequiredValue(_host),
                Port = parsed.GetValue(_port),
                GrpcPort = parsed.GetValue(_grpcPort),
                ApiKey = parsed.GetValue(_apiKey) ?? context.Environment("MM_API_KEY"),
                MaxQueue = parsed.GetValue(_maxQueue),
                AllowedMediaDomains = parsed.GetValue(_mediaDomains) ?? [],
                RequestTimeout = parsed.GetValue(_requestTimeout) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                ShutdownTimeout = TimeSpan.FromSeconds(parsed.GetValue(_shutdownTimeout)),
            },
            TimeProvider.System,
            cancellationToken);
        await context.Error.WriteLineAsync($"serving {model.Id} on {server.Address} and over gRPC on {server.GrpcAddress}");
        return server;
    }

    // Printed when requests can be sent, so that a program that starts a server learns its port and when to begin.
    private static Task DescribeAsync(ParseResult parsed, IServedModel model, GatewayServer server, CommandContext context) =>
        parsed.GetValue(GlobalOptions.Json)
            ? context.Out.WriteLineAsync(JsonLine.Of(new { schema = 1, model = model.Id, base_url = server.Address }))
            : Task.CompletedTask;

    private EngineOptions Engine(ParseResult parsed) => new()
    {
        MaxNumSeqs = parsed.GetValue(_maxNumSeqs),
        MaxNumBatchedTokens = Math.Max(parsed.GetValue(_maxTokens), parsed.GetValue(_maxNumSeqs)),
        MaxQueue = parsed.GetValue(_maxQueue),
        SchedulingPolicy = parsed.GetRequiredValue(_policy) == "fcfs" ? SchedulingPolicy.Fcfs : SchedulingPolicy.Priority,
        EnablePrefixCaching = !parsed.GetValue(_noPrefixCache),
        SpeculativeTokens = parsed.GetValue(_speculative),
    };

    private static async Task<int> UntilStoppedAsync(CancellationToken cancellationToken)
    {
        var stopped = new TaskCompletionSource();
        await using CancellationTokenRegistration registration = cancellationToken.Register(stopped.SetResult);
        await stopped.Task;
        return ExitCodes.Done;
    }
}
