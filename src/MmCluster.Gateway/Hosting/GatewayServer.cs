using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MmCluster.Gateway.Admission;
using MmCluster.Gateway.Grpc;
using MmCluster.Gateway.Keys;
using MmCluster.Gateway.Media;
using MmCluster.Gateway.Metrics;
using MmCluster.Gateway.Models;
using MmCluster.Gateway.OpenAi;
using MmCluster.Models;

namespace MmCluster.Gateway.Hosting;

/// <summary>The front of a set of models on one Kestrel and one port: OpenAI's routes, health and metrics over HTTP, and the gRPC services.</summary>
public sealed class GatewayServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private GatewayServer(WebApplication app) => _app = app;

    /// <summary>Where it listens for HTTP and gRPC, with the port it got.</summary>
    public Uri Address => new(Addresses.First());

    /// <summary>Where it listens for gRPC: <see cref="Address"/>, or the port that was set aside for it.</summary>
    public Uri GrpcAddress => new(Addresses.Last(address => !address.EndsWith(NoSocketEndPoint.Name, StringComparison.Ordinal)));

    // In the order in which they were configured.
    private ICollection<string> Addresses => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;

    /// <summary>Starts listening.</summary>
    /// <exception cref="MmException">Unavailable when the address cannot be bound.</exception>
    public static async Task<GatewayServer> StartAsync(
        ServedModels models, GatewayOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        WebApplication app = Build(models, options, time);
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (Exception error) when (error is IOException or SocketException)
        {
            await app.DisposeAsync();
            throw new MmException(MmErrorCode.Unavailable, $"cannot listen on {options.Host}, port {options.Port}{(options.GrpcPort is { } grpc ? $" or {grpc} (gRPC)" : "")}: {error.Message}", error);
        }
        return new GatewayServer(app);
    }

    /// <summary>Stops accepting, lets running requests end within the shutdown timeout, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static WebApplication Build(ServedModels models, GatewayOptions options, TimeProvider time)
    {
        // Not the current folder: settings there are watched for changes with all that lies below, which takes for ever in the root.
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Logging.ClearProviders();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.ShutdownTimeout);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            KestrelLimits.Apply(kestrel.Limits, options);
            var port = new SharedPort(options.RequestHeadersTimeout, time);
            kestrel.Listen(Resolve(options.Host), options.Port, port.Share);
            kestrel.Listen(new NoSocketEndPoint(), port.Receive);
            if (options.GrpcPort is { } grpc)
            {
                kestrel.Listen(Resolve(options.Host), grpc, endpoint => endpoint.Protocols = HttpProtocols.Http2);
            }
        });
        builder.Services.AddSingleton<IConnectionListenerFactory, NoSocketListenerFactory>();
        builder.Services.AddSingleton(models).AddSingleton(options).AddSingleton(time)
            .AddSingleton<GatewayMetrics>().AddSingleton<TenantMetrics>().AddSingleton<MeterText>().AddSingleton<MediaFetcher>().AddGatewayGrpc(options);
        WebApplication app = builder.Build();
        Map(app, models, options, time);
        return app;
    }

    private static void Map(WebApplication app, ServedModels models, GatewayOptions options, TimeProvider time)
    {
        GatewayMetrics metrics = app.Services.GetRequiredService<GatewayMetrics>();
        TenantMetrics tenants = app.Services.GetRequiredService<TenantMetrics>();
        var ids = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        ServedModels admitted = models.Wrap(
            model => new AdmittedModel(new TracedModel(model), new AdmissionGate(ids, options.MaxQueue, options.MaxRunning), tenants, time));
        var keys = new GatewayKeys(options, admitted, tenants, time);
        options.Control?.KeysChanged = keys.Apply;
        MediaFetcher fetcher = app.Services.GetRequiredService<MediaFetcher>();
        var memory = new BodyMemory(options.MaxBodyMemory);
        var completions = new CompletionsEndpoint(memory, options, metrics, time);
        var chat = new ChatCompletionsEndpoint(fetcher, memory, options, metrics, time);
        app.Use(next => new ApiKeyCheck(keys, tenants, next).HandleAsync);
        app.MapPost("/v1/completions", (RequestDelegate)completions.HandleAsync);
        app.MapPost("/v1/chat/completions", (RequestDelegate)chat.HandleAsync);
        app.MapGet("/v1/models", (RequestDelegate)ModelsEndpoint.ListAsync);
        app.MapGet("/v1/models/{id}", http => ModelsEndpoint.GetAsync(http, (string)http.Request.RouteValues["id"]!));
        app.MapGet("/health", http => http.Response.WriteAsync("ok\n", http.RequestAborted));
        app.MapGet("/health/ready", http => ReadyAsync(http, models));
        MeterText meters = app.Services.GetRequiredService<MeterText>();
        app.MapGet("/metrics", async http =>
        {
            var text = new PrometheusText();
            metrics.Render(admitted.All, text);
            tenants.Render(text);
            if (options.Control is { } control)
            {
                await StageMetrics.RenderAsync(control.Cluster, text, http.RequestAborted);
            }
            meters.Render(text);
            ProcessMetrics.Render(text);
            http.Response.ContentType = PrometheusText.ContentType;
            await http.Response.WriteAsync(text.ToString(), http.RequestAborted);
        });
        app.MapGatewayGrpc(options);
        app.MapFallback(http => ErrorBody.WriteAsync(
            http, new MmException(MmErrorCode.NotFound, $"there is no route {http.Request.Method} {http.Request.Path}")));
    }

    private static Task ReadyAsync(HttpContext http, ServedModels models)
    {
        http.Response.StatusCode = models.Ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        return http.Response.WriteAsync(models.Ready ? "ready\n" : "not ready: no warm-up step has run yet\n", http.RequestAborted);
    }

    private static IPAddress Resolve(string host) => host switch
    {
        "localhost" => IPAddress.Loopback,
        "*" or "+" => IPAddress.Any,
        _ => IPAddress.TryParse(host, out IPAddress? address)
            ? address
            : throw new MmException(MmErrorCode.InvalidArgument, $"--host must be an address such as 127.0.0.1 or 0.0.0.0, not '{host}'"),
    };
}
