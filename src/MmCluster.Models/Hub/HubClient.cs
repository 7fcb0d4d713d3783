using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace MmCluster.Models.Hub;

/// <summary>
/// Speaks the Hugging Face hub's routes: <c>/api/models/ID/revision/REV</c> for a model's files, <c>/ID/resolve/REV/FILE</c> for their
/// content. Redirects are followed here and not by the HTTP stack, so that the token goes to the hub's own origin only and headers of
/// other hosts are not believed. Thread-safe; dispose it once.
/// </summary>
internal sealed class HubClient : IDisposable
{
    private const int MaxRedirects = 8;
    private const int MaxListBytes = 64 << 20;
    private const int MaxFiles = 20_000;

    private readonly HubOptions _options;
    private readonly HttpClient _http;

    /// <summary>A client.</summary>
    /// <param name="options">Where the hub is, and the token.</param>
    public HubClient(HubOptions options)
    {
        _options = options;
        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = TimeSpan.FromSeconds(30),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        })
        {
            Timeout = Timeout.InfiniteTimeSpan, // bodies take hours; the puller watches for stalls
        };
        _http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("mmcluster", "1"));
    }

    /// <summary>How the hub is reached.</summary>
    internal HubOptions Options => _options;

    /// <summary>Lists a model's files. One attempt; the puller retries.</summary>
    /// <param name="id">The model.</param>
    /// <param name="revision">A branch, tag or commit.</param>
    /// <param name="stop">Ends the request.</param>
    /// <exception cref="MmException">NotFound, Unauthenticated or PermissionDenied, as the hub answers; Unavailable where its list makes no sense.</exception>
    /// <exception cref="TransientHubException">Another attempt may succeed.</exception>
    public async Task<HubSnapshot> ListAsync(HubModelId id, string revision, CancellationToken stop)
    {
        Uri address = Address($"/api/models/{id}/revision/{Uri.EscapeDataString(revision)}?blobs=true");
        using HubResponse response = await SendAsync(HttpMethod.Get, address, 0, $"{id} at {revision}", stop);
        await using Stream body = await response.Message.Content.ReadAsStreamAsync(stop);
        var json = new MemoryStream();
        byte[] buffer = new byte[1 << 16];
        while (json.Length <= MaxListBytes && await ReadAsync(body, buffer, stop) is > 0 and int read)
        {
            json.Write(buffer, 0, read);
        }
        try
        {
            using JsonDocument document = json.Length <= MaxListBytes
                ? JsonDocument.Parse(json.GetBuffer().AsMemory(0, (int)json.Length)) : throw new JsonException("it is too long");
            return ReadSnapshot(id, revision, document.RootElement);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new MmException(MmErrorCode.Unavailable, $"{id}: {address.Host} sends a list of files that cannot be read: {error.Message}", error);
        }
    }

    /// <summary>Asks for a file's headers.</summary>
    internal Task<HubResponse> ProbeAsync(HubModelId id, string revision, string path, CancellationToken stop) =>
        SendAsync(HttpMethod.Head, FileAddress(id, revision, path), 0, $"{id}: {path}", stop);

    /// <summary>Asks for a file from a byte on. The answer may still be the whole file.</summary>
    internal Task<HubResponse> OpenAsync(HubModelId id, string revision, string path, long offset, CancellationToken stop) =>
        SendAsync(HttpMethod.Get, FileAddress(id, revision, path), offset, $"{id}: {path}", stop);

    /// <summary>Reads from an answer's body; what breaks there is the network, never the disk.</summary>
    internal static async Task<int> ReadAsync(Stream body, Memory<byte> buffer, CancellationToken stop)
    {
        try
        {
            return await body.ReadAsync(buffer, stop);
        }
        catch (IOException error)
        {
            throw new HttpRequestException(error.Message, error);
        }
    }

    private async Task<HubResponse> SendAsync(HttpMethod method, Uri address, long offset, string what, CancellationToken stop)
    {
        bool trusted = true;
        HubDigest? digest = null;
        long? size = null;
        for (int hop = 0; hop <= MaxRedirects; hop++)
        {
            using var request = new HttpRequestMessage(method, address);
            request.Headers.Authorization = trusted && _options.Token is { } token ? new AuthenticationHeaderValue("Bearer", token) : null;
            request.Headers.Range = offset > 0 ? new RangeHeaderValue(offset, null) : null;
            HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop);
            if (trusted)
            {
                digest = HubDigest.TryParse(Header(response, "X-Linked-Etag")) ?? HubDigest.TryParse(Header(response, "ETag")) ?? digest;
                size = long.TryParse(Header(response, "X-Linked-Size"), NumberStyles.None, CultureInfo.InvariantCulture, out long linked) ? linked : size;
            }
            if (!IsRedirect(response.StatusCode) || response.Headers.Location is null)
            {
                if (response.IsSuccessStatusCode || response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
                {
                    return new HubResponse(response, digest, size ?? WholeSize(response));
                }
                using (response)
                {
                    MmException error = HubErrors.From(response, what, _options.Token is not null);
                    throw HubErrors.IsTransient(response.StatusCode) ? new TransientHubException(error) : error;
                }
            }
            Uri next = new(address, response.Headers.Location);
            response.Dispose();
            if (next.Scheme is not ("http" or "https") || (address.Scheme == "https" && next.Scheme == "http"))
            {
                throw new MmException(MmErrorCode.Unavailable, $"{what}: {address.Host} redirects to {next.Scheme}://{next.Host}, which is not followed");
            }
            trusted &= IsSameOrigin(next, _options.Endpoint);
            address = next;
        }
        throw new MmException(MmErrorCode.Unavailable, $"{what}: more than {MaxRedirects} redirects");
    }

    private static HubSnapshot ReadSnapshot(HubModelId id, string revision, JsonElement root)
    {
        string commit = root.TryGetProperty("sha", out JsonElement sha) && sha.ValueKind == JsonValueKind.String ? sha.GetString()! : revision;
        var files = new Dictionary<string, HubFile>(StringComparer.Ordinal);
        foreach (JsonElement sibling in root.GetProperty("siblings").EnumerateArray())
        {
            string path = sibling.GetProperty("rfilename").GetString() ?? "";
            HubPath.Check(path);
            JsonElement? large = sibling.TryGetProperty("lfs", out JsonElement lfs) && lfs.ValueKind == JsonValueKind.Object ? lfs : null;
            HubDigest? digest = HubDigest.TryParse(large is { } entry ? Text(entry, "sha256") ?? Text(entry, "oid") : Text(sibling, "blobId"));
            files[path] = new HubFile(path, Number(large ?? sibling, "size") ?? Number(sibling, "size"), digest);
            if (files.Count > MaxFiles)
            {
                throw new MmException(MmErrorCode.Unavailable, $"{id}: more than {MaxFiles} files");
            }
        }
        return new HubSnapshot(id, commit, [.. files.Values]);
    }

    private static string? Text(JsonElement element, string key) =>
        element.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static long? Number(JsonElement element, string key) =>
        element.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number)
            && number >= 0 ? number : null;

    private Uri FileAddress(HubModelId id, string revision, string path) =>
        Address($"/{id}/resolve/{Uri.EscapeDataString(revision)}/{string.Join('/', path.Split('/').Select(Uri.EscapeDataString))}");

    private Uri Address(string path) => new(_options.Endpoint.AbsoluteUri.TrimEnd('/') + path);

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out IEnumerable<string>? values) ? values.First() : null;

    private static long? WholeSize(HttpResponseMessage response) => response.StatusCode == HttpStatusCode.OK
        ? response.Content.Headers.ContentLength : response.Content.Headers.ContentRange?.Length;

    private static bool IsRedirect(HttpStatusCode status) => (int)status is 301 or 302 or 303 or 307 or 308;

    private static bool IsSameOrigin(Uri a, Uri b) => a.Scheme == b.Scheme && a.Port == b.Port
        && string.Equals(a.IdnHost, b.IdnHost, StringComparison.OrdinalIgnoreCase);

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();
}
