using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using MmCluster.Cli.Clustering;
using MmCluster.Cli.Hosting;
using MmCluster.Cluster.Deployment;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Engine.Simulation;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Models;
using MmCluster.Models;
using MmCluster.Models.Catalog;
using MmCluster.Silo;

namespace MmCluster.Cli.Commands;

/// <summary>
/// <c>mm serve</c>: a model behind OpenAI's HTTP interface and gRPC, in this process; with <c>--config</c> the models of a cluster.yaml, this process being
/// a cluster that others may join.
/// </summary>
internal sealed class ServeCommand : Command
{
    private const int DefaultMaxSeqs = 256;
    private const int DefaultMaxTokens = 2048;

    // Where a cluster.yaml says what a flag says without one.
    private static readonly Dictionary<string, string> FileKeys = new()
    {
        ["--dtype"] = "models.NAME.dtype",
        ["--device"] = "models.NAME.components.backbone.device",
        ["--pipeline-parallel-size"] = "models.NAME.pipeline_parallel_size",
        ["--tensor-parallel-size"] = "models.NAME.tensor_parallel_size",
        ["--kv-cache-dtype"] = "models.NAME.limits.kv_cache_dtype",
        ["--kv-cache-memory-bytes"] = "models.NAME.limits.kv_cache_memory_bytes",
        ["--gpu-memory-utilization"] = "models.NAME.limits.gpu_memory_utilization",
        ["--max-model-len"] = "models.NAME.limits.max_model_len",
        ["--max-num-seqs"] = "models.NAME.limits.max_num_seqs",
        ["--max-num-batched-tokens"] = "models.NAME.limits.max_num_batched_tokens",
        ["--max-queue"] = "models.NAME.limits.max_queue",
        ["--no-enable-prefix-caching"] = "models.NAME.limits.enable_prefix_caching",
        ["--speculative-tokens"] = "models.NAME.limits.speculative_tokens",
        ["--request-timeout"] = "gateway.request_timeout",
        ["--shutdown-timeout"] = "gateway.shutdown_timeout",
        ["--allowed-media-domains"] = "gateway.allowed_media_domains",
    };

    private readonly ModelOptions _model = new();
    private readonly GatewayFlags _gateway = new();
    private readonly ConfigOptions _config = new();
    private readonly ClusterOptions _cluster = new();
    private readonly LogOptions _logs = new();
    private readonly Option<string?> _name = new("--served-model-name") { Description = "Name that requests use; default: the model's." };
    private readonly Option<int> _maxNumSeqs = NumberOptions.Positive("--max-num-seqs", DefaultMaxSeqs, "Sequences computed at once.");
    private readonly Option<int?> _maxTokens = NumberOptions.PositiveOrNone(
        "--max-num-batched-tokens", "Positions computed in one step, at least --max-num-seqs; default: 2048, or --max-num-seqs where that is more.");

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
        Option[] own = [_name, _maxNumSeqs, _maxTokens, _maxQueue, _policy, _noPrefixCache, _speculative, _requestTimeout, _shutdownTimeout, _mediaDomains, _simulate];
        this.AddAll([.. _gateway.All, .. _config.All, .. _cluster.All, .. _logs.All, .. own]);
        Validators.Add(CheckStepSize);
        foreach (Option option in (Option[])[_config.Overrides, .. _cluster.All, .. _logs.Log])
        {
            this.Needs(option, _config.File);
        }
        foreach (Option option in _model.All.Concat(own).Where(option => option != _model.Threads))
        {
            this.Excludes(option, _config.File, FileKeys.TryGetValue(option.Name, out string? key) ? $"write {key} into the file, or --set {key}=VALUE" : null);
        }
        foreach (Option option in _model.All.Where(option => option != _model.MaxLengthOption))
        {
            this.Excludes(option, _simulate);
        }
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        using Telemetry telemetry = _logs.StartTelemetry(parsed, context, "serve", null);
        return await ChooseAsync(parsed, context, cancellationToken);
    }

    private Task<int> ChooseAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken) =>
        _config.Path(parsed) is not null ? ServeClusterAsync(parsed, context, cancellationToken)
        : parsed.GetValue(_simulate) ? SimulateAsync(parsed, context, cancellationToken)
        : ServeAsync(parsed, context, cancellationToken);

    // A folder of its own unless one is named: then other processes may join, and what was scaled is remembered.
    private async Task<int> ServeClusterAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        if (_model.Name(parsed) is { } model)
        {
            throw new MmException(MmErrorCode.InvalidArgument, $"--config says what is served; leave out '{model}'") { Param = "MODEL" };
        }
        ClusterFile file = _config.Read(parsed, context);
        _model.ApplyThreads(parsed);
        using var own = new TemporaryFolder();
        string folder = _cluster.FolderOrNull(parsed, context) ?? own.Path;
        await using ClusterNode node = await ClusterNode.StartSiloAsync(_cluster.Silo(parsed, context, folder), _logs.Of(parsed), cancellationToken);
        await NodeRun.TellGpusAsync(node.Devices, context.Error);
        ClusterFront front = new(_gateway, _config, context);
        return await NodeRun.UntilLostAsync(node.Devices, stop => front.RunAsync(parsed, file, node.Cluster, stop), cancellationToken);
    }

    // Every sequence gets its position in a step. A validator sees no defaults, and words that are no numbers are refused by the options' own.
    private void CheckStepSize(CommandResult result)
    {
        int? sequences = result.GetResult(_maxNumSeqs) is { } given ? Number(given) : DefaultMaxSeqs;
        if (result.GetResult(_maxTokens) is { } limit && Number(limit) < sequences)
        {
            result.AddError(string.Create(
                CultureInfo.InvariantCulture,
                $"--max-num-batched-tokens is {Number(limit)}, --max-num-seqs {sequences}: a step holds a position of each sequence; raise the one or lower the other."));
        }
    }

    private static int? Number(OptionResult result) =>
        result.Tokens is [{ } token] && int.TryParse(token.Value, NumberStyles.Integer, CultureInfo.InvariantCulture, out int value) ? value : null;

    private async Task<int> ServeAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        LocatedModel located = ModelOptions.Locate(_model.Name(parsed), context);
        await using LocalModel model = _model.Load(parsed, located, Engine(parsed));
        var served = new LocalServedModel(parsed.GetValue(_name) ?? located.Name, model, TimeProvider.System.GetUtcNow());
        await using GatewayServer server = await StartAsync(parsed, served, context, cancellationToken);
        await served.WarmUpAsync(cancellationToken);
        await context.Error.WriteLineAsync("ready");
        await DescribeAsync(parsed, served, server, context);
        Task stopped = cancellationToken.UntilCancelledAsync();
        if (await Task.WhenAny(stopped, model.DeviceLost) != stopped)
        {
            throw new MmException(MmErrorCode.Unavailable, $"the GPU is lost to this process, which has to be restarted: {(await model.DeviceLost).Message}");
        }
        return ExitCodes.Done;
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
        await cancellationToken.UntilCancelledAsync();
        return ExitCodes.Done;
    }

    private async Task<GatewayServer> StartAsync(
        ParseResult parsed, IServedModel model, CommandContext context, CancellationToken cancellationToken)
    {
        GatewayServer server = await GatewayServer.StartAsync(
            new ServedModels([model]),
            _gateway.Options(parsed, context, new ClusterFile(), control: null) with
            {
                MaxQueue = parsed.GetValue(_maxQueue),
                MaxRunning = parsed.GetValue(_maxNumSeqs),
                AllowedMediaDomains = parsed.GetValue(_mediaDomains) ?? [],
                RequestTimeout = parsed.GetValue(_requestTimeout) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                ShutdownTimeout = TimeSpan.FromSeconds(parsed.GetValue(_shutdownTimeout)),
            },
            TimeProvider.System,
            cancellationToken);
        await context.Error.WriteLineAsync($"serving {model.Id} over HTTP and gRPC on {server.Address}");
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
        MaxNumBatchedTokens = parsed.GetValue(_maxTokens) ?? Math.Max(DefaultMaxTokens, parsed.GetValue(_maxNumSeqs)),
        MaxQueue = parsed.GetValue(_maxQueue),
        SchedulingPolicy = parsed.GetRequiredValue(_policy) == "fcfs" ? SchedulingPolicy.Fcfs : SchedulingPolicy.Priority,
        EnablePrefixCaching = !parsed.GetValue(_noPrefixCache),
        SpeculativeTokens = parsed.GetValue(_speculative),
    };
}
