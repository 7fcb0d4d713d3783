using System.Globalization;
using System.Net;
using System.Text;
using Aspire.Hosting.ApplicationModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Internal;

/// <summary>A page on the loopback address with state, ports and logs. Configuration <c>StatusPage:Port</c> fixes its port.</summary>
internal sealed class StatusPage(Orchestrator orchestrator, LogConsole console, IConfiguration configuration) : IHostedService
{
    private WebApplication? _app;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        // Not the current folder: settings there are watched for changes with all that lies below, which takes for ever in the root.
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>(); // signals are the app host's
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, configuration.GetValue("StatusPage:Port", 0)));
        WebApplication app = builder.Build();
        app.Use(RefuseOtherHosts);
        app.MapGet("/", () => Results.Content(Page(), "text/html; charset=utf-8"));
        app.MapGet("/api/resources", () => Results.Json(orchestrator.Instances.Select(Describe)));
        app.MapGet("/api/logs/{name}", (string name) =>
            orchestrator.Instances.FirstOrDefault(instance => instance.Name == name) is { } instance
                ? Results.Text(string.Join('\n', instance.Log()) + "\n")
                : Results.NotFound());
        await app.StartAsync(CancellationToken.None); // a moment; cut short, it would be told as a failure to start
        _app = app;
        console.Report("status", $"page at {app.Urls.Single()}");
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_app is not null)
        {
            await _app.StopAsync(cancellationToken);
            await _app.DisposeAsync();
        }
    }

    // Another site's script that had its name point here would send its own name.
    private static Task RefuseOtherHosts(HttpContext http, RequestDelegate next)
    {
        if (http.Request.Host.Host is "localhost" or "127.0.0.1")
        {
            return next(http);
        }
        http.Response.StatusCode = StatusCodes.Status400BadRequest;
        return Task.CompletedTask;
    }

    private static Description Describe(Instance instance) => new(
        instance.Name,
        instance.Resource.GetType().Name,
        instance.State.ToString(),
        instance.ProcessId,
        instance.ExitCode,
        instance.Healthy,
        instance.Problem,
        [.. instance.Resource.All<EndpointAnnotation>().Select(endpoint => string.Create(
            CultureInfo.InvariantCulture, $"{endpoint.Name}: {endpoint.Scheme}://{EndpointReference.LocalHost}:{endpoint.Port} -> {endpoint.TargetPorts[instance.Index]}"))]);

    private string Page()
    {
        var html = new StringBuilder(
            """
            <!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>Application</title>
            <style>body{font:14px system-ui;margin:2em}td,th{padding:.3em 1em .3em 0;text-align:left;vertical-align:top}.bad{color:#b00}</style>
            <h1>Application</h1><table><tr><th>Name<th>State<th>Process<th>Endpoints<th>Log
            """);
        foreach (Description part in orchestrator.Instances.Select(Describe))
        {
            string state = (part.State, part.ExitCode, part.Healthy) switch
            {
                (_, { } code, _) => string.Create(CultureInfo.InvariantCulture, $"exited with code {code}"),
                (nameof(InstanceState.Failed), _, _) => $"not started: {part.Problem}",
                (nameof(InstanceState.Running), _, false) => "running, not healthy",
                (nameof(InstanceState.Running), _, true) => "running, healthy",
                _ => part.State.ToLowerInvariant(),
            };
            string bad = part.ExitCode is not (null or 0) || part.Problem is not null ? " class=\"bad\"" : "";
            html.Append(CultureInfo.InvariantCulture, $"<tr><td>{Safe(part.Name)}<td{bad}>{Safe(state)}<td>{part.ProcessId}");
            html.Append(CultureInfo.InvariantCulture, $"<td>{string.Join("<br>", part.Endpoints.Select(Safe))}");
            html.Append(CultureInfo.InvariantCulture, $"<td><a href=\"/api/logs/{Uri.EscapeDataString(part.Name)}\">log</a>");
        }
        return html.Append("</table></html>").ToString();
    }

    private static string Safe(string text) => WebUtility.HtmlEncode(text);

    private sealed record Description(
        string Name, string Type, string State, int? ProcessId, int? ExitCode, bool? Healthy, string? Problem, string[] Endpoints);

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
