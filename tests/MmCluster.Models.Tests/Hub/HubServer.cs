using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace MmCluster.Models.Tests.Hub;

/// <summary>
/// A hub on loopback with the real one's routes: the list of a model's files, small files answered at once, large ones by a redirect to a
/// second server (another port, so another origin) that plays the content network.
/// </summary>
internal sealed class HubServer : IAsyncDisposable
{
    public const string Model = "acme/Tiny-1.5";
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private readonly Dictionary<string, (byte[] Bytes, bool Large)> _files = [];
    private WebApplication? _hub;
    private WebApplication? _content;

    public Uri Address => new(AddressOf(_hub!));

    /// <summary>The requests that came: "hub GET /path" or "content GET /path bytes=5-", with " token" behind if one was sent.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>May answer a request itself; returns whether it did. The second argument is "hub" or "content".</summary>
    public Func<HttpContext, string, Task<bool>> Intercept { get; set; } = (_, _) => Task.FromResult(false);

    /// <summary>Changes the list of files before it is sent.</summary>
    public Func<string, string> EditList { get; set; } = list => list;

    public bool AnnouncesDigests { get; set; } = true;

    public void Add(string path, byte[] bytes, bool large = false) => _files[path] = (bytes, large);

    public byte[] Bytes(string path) => _files[path].Bytes;

    public static byte[] Noise(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public async Task StartAsync()
    {
        _content = await StartAsync("content", context => SendAsync(context, context.Request.Path.Value![1..]));
        _hub = await StartAsync("hub", AnswerAsync);
    }

    private async Task<WebApplication> StartAsync(string role, RequestDelegate answer)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrel(options => options.Listen(IPAddress.Loopback, 0));
        WebApplication app = builder.Build();
        app.Run(async context =>
        {
            string range = context.Request.Headers.Range.ToString();
            bool token = context.Request.Headers.Authorization == "Bearer hf_secret";
            Requests.Enqueue($"{role} {context.Request.Method} {context.Request.Path}{(range.Length > 0 ? " " + range : "")}{(token ? " token" : "")}");
            if (!await Intercept(context, role))
            {
                await answer(context);
            }
        });
        await app.StartAsync();
        return app;
    }

    private async Task AnswerAsync(HttpContext context)
    {
        string path = context.Request.Path.Value!;
        string files = $"/{Model}/resolve/{Commit}/";
        if (path == $"/api/models/{Model}/revision/main")
        {
            await context.Response.WriteAsync(EditList(List()));
        }
        else if (!path.StartsWith(files, StringComparison.Ordinal) || !_files.TryGetValue(path[files.Length..], out (byte[] Bytes, bool Large) file))
        {
            context.Response.StatusCode = 404;
        }
        else if (file.Large)
        {
            context.Response.StatusCode = 302;
            context.Response.Headers.Location = $"{AddressOf(_content!)}/{path[files.Length..]}";
            context.Response.Headers["X-Linked-Etag"] = $"\"{Sha256(file.Bytes)}\"";
            context.Response.Headers["X-Linked-Size"] = file.Bytes.Length.ToString(CultureInfo.InvariantCulture);
        }
        else
        {
            context.Response.Headers.ETag = $"\"{BlobId(file.Bytes)}\"";
            await SendAsync(context, path[files.Length..]);
        }
    }

    private async Task SendAsync(HttpContext context, string path)
    {
        byte[] bytes = _files[path].Bytes;
        int from = 0;
        string range = context.Request.Headers.Range.ToString();
        if (range.Length > 0)
        {
            from = int.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture);
            context.Response.StatusCode = from < bytes.Length ? 206 : 416;
            context.Response.Headers.ContentRange = from < bytes.Length ? $"bytes {from}-{bytes.Length - 1}/{bytes.Length}" : $"bytes */{bytes.Length}";
        }
        if (from < bytes.Length || bytes.Length == 0)
        {
            context.Response.ContentLength = bytes.Length - from;
            if (context.Request.Method != "HEAD")
            {
                await context.Response.Body.WriteAsync(bytes.AsMemory(from));
            }
        }
    }

    private string List() => JsonSerializer.Serialize(new
    {
        sha = Commit,
        siblings = _files.Select(file => !AnnouncesDigests ? new { rfilename = file.Key } : file.Value.Large
            ? (object)new { rfilename = file.Key, size = file.Value.Bytes.Length, blobId = new string('e', 40), lfs = new { sha256 = Sha256(file.Value.Bytes), size = file.Value.Bytes.Length, pointerSize = 135 } }
            : new { rfilename = file.Key, size = file.Value.Bytes.Length, blobId = BlobId(file.Value.Bytes) }),
    });

    public static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

#pragma warning disable CA5350 // git's hash of a blob is SHA-1
    public static string BlobId(byte[] bytes) => Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {bytes.Length}\0"), .. bytes]));
#pragma warning restore CA5350

    private static string AddressOf(WebApplication app) =>
        app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    public async ValueTask DisposeAsync()
    {
        foreach (WebApplication app in new[] { _hub, _content }.OfType<WebApplication>())
        {
            await app.DisposeAsync();
        }
    }
}
