using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using MmCluster.Gateway.Metrics;

namespace MmCluster.Gateway.Hosting;

/// <summary>/metrics and /health of a process that serves nothing else over HTTP: a node's transfers and what it uses.</summary>
public sealed class MetricsServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly MeterText _meters;

    private MetricsServer(WebApplication app, MeterText meters) => (_app, _meters) = (app, meters);

    /// <summary>Where it listens, with the port it got.</summary>
    public Uri Address => new(_app.Urls.First());

    /// <summary>Starts listening.</summary>
    public static async Task<MetricsServer> StartAsync(IPAddress host, int port, CancellationToken cancellationToken)
    {
        // Not the current folder: settings there are watched for changes with all that lies below, which takes for ever in the root.
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(host, port));
        WebApplication app = builder.Build();
        var meters = new MeterText();
        app.MapGet("/health", http => http.Response.WriteAsync("ok\n", http.RequestAborted));
        app.MapGet("/metrics", http =>
        {
            var text = new PrometheusText();
            meters.Render(text);
            ProcessMetrics.Render(text);
            http.Response.ContentType = PrometheusText.ContentType;
            return http.Response.WriteAsync(text.ToString(), http.RequestAborted);
        });
        await app.StartAsync(cancellationToken);
        return new MetricsServer(app, meters);
    }

    /// <summary>Stops.</summary>
    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _meters.Dispose();
    }
}
