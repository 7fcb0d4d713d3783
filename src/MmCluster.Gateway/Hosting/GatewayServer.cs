using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
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

/// <summary>The front of a set of models on one Kestrel: OpenAI's routes, health and metrics over HTTP, and the gRPC services on a port of their own.</summary>
public sealed class GatewayServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private GatewayServer(WebApplication app) => _app = app;

    /// <summary>Where it listens for HTTP, with the port it got.</summary>
    public Uri Address => new(Addresses.First());

    /// <summary>Where it listens for gRPC, with the port it got.</summary>
    public Uri GrpcAddress => new(Addresses.Last());

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
            throw new MmException(MmErrorCode.Unavailable, $"cannot listen on {options.Host}, ports {options.Port} and {GrpcPort(options)} (gRPC): {error.Message}", error);
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
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.ShutdownTimeout);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            KestrelLimits.Apply(kestrel.Limits, options);
            kestrel.Listen(Resolve(options.Host), options.Port);
            kestrel.Listen(Resolve(options.Host), GrpcPort(options), endpoint => endpoint.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddSingleton(models).AddSingleton(options).AddSingleton(time)
            .AddSingleton<GatewayMetrics>().AddSingleton<TenantMetrics>().AddSingleton<MediaFetcher>().AddGatewayGrpc(options);
        WebApplication app = builder.Build();
        Map(app, models, options, time);
        return app;
    }

    private static int GrpcPort(GatewayOptions options) => options.GrpcPort ?? options.Port switch
    {
        0 => 0,
        IPEndPoint.MaxPort => throw new MmException(MmErrorCode.InvalidArgument, $"no port follows --port {options.Port}: set --grpc-port") { Param = "grpc-port" },
        int port => port + 1,
    };

    private static void Map(WebApplication app, ServedModels models, GatewayOptions options, TimeProvider time)
    {
        GatewayMetrics metrics = app.Services.GetRequiredService<GatewayMetrics>();
        TenantMetrics tenants = app.Services.GetRequiredService<TenantMetrics>();
        var ids = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        var admitted = new ServedModels(
            [.. models.All.Select(model => new AdmittedModel(model, new AdmissionGate(ids, options.MaxQueue), tenants, time))]);
        var keys = new KeyRing(options, admitted, tenants, time);
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
        app.MapGet("/metrics", http =>
        {
            http.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            return http.Response.WriteAsync(metrics.Render(models.All) + tenants.Render(), http.RequestAborted);
        });
        app.MapGatewayGrpc();
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
