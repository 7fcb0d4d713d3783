using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace MmCluster.EndToEnd.Tests.Harness;

/// <summary>Takes OTLP traces over HTTP (protobuf). Names stand in the messages as they are, which is all that a test looks for.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentBag<string> _received = [];
    private readonly SemaphoreSlim _news = new(0);

    private OtlpReceiver(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.First());

    public static async Task<OtlpReceiver> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        WebApplication app = builder.Build();
        var receiver = new OtlpReceiver(app);
        app.MapPost("/v1/traces", receiver.TakeAsync);
        await app.StartAsync();
        return receiver;
    }

    /// <summary>All messages so far, a character a byte.</summary>
    public IReadOnlyCollection<string> Received => _received;

    /// <summary>Completes when all of <paramref name="names"/> were seen.</summary>
    public async Task SawAsync(CancellationToken cancellationToken, params string[] names)
    {
        while (!names.All(name => _received.Any(message => message.Contains(name, StringComparison.Ordinal))))
        {
            await _news.WaitAsync(cancellationToken);
        }
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext http)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        _received.Add(Encoding.Latin1.GetString(body.ToArray()));
        _news.Release();
    }
}
