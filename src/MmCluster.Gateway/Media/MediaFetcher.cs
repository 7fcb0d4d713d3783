using System.Net;
using MmCluster.Gateway.Hosting;

namespace MmCluster.Gateway.Media;

/// <summary>
/// Fetches media by URL from addresses of the public internet. It looks names up itself, checks every address, and connects to the very
/// address that it checked, so that a name that answers differently the second time gains nothing. Redirects are followed here, each checked
/// as the first was. Bytes, headers, time, redirects and fetches at once are bounded; no cookies, credentials, proxies or decompression. Safe to call from any thread.
/// </summary>
internal sealed class MediaFetcher : IDisposable
{
    private const int MaxRedirects = 3;
    private const int MaxHeaderKilobytes = 16;
    private const int MaxConnectionsPerServer = 16;
    private const int MaxFetchesAtOnce = 64;
    private const int ChunkBytes = 64 << 10;

    private readonly MediaAddressRules _rules;
    private readonly IMediaNetwork _network;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly HttpMessageInvoker _http;
    private readonly SemaphoreSlim _slots = new(MaxFetchesAtOnce);

    public MediaFetcher(GatewayOptions options, TimeProvider time)
    {
        (_rules, _network, _timeout, _time) = (new MediaAddressRules(options), options.MediaNetwork, options.MediaFetchTimeout, time);
        _http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            Credentials = null,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null,
            MaxResponseHeadersLength = MaxHeaderKilobytes,
            MaxResponseDrainSize = 0,
            MaxConnectionsPerServer = MaxConnectionsPerServer,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(10),
            ConnectCallback = ConnectAsync,
        });
    }

    /// <summary>Whether any URL may be fetched.</summary>
    public bool Enabled => _rules.Enabled;

    /// <summary>The address of <paramref name="url"/>, checked before any name is looked up.</summary>
    /// <exception cref="MediaRefusedException">It is not one of an allowed domain, scheme and port.</exception>
    public Uri Check(string url) => _rules.Check(url);

    /// <summary>The bytes behind <paramref name="address"/>, charged to <paramref name="budget"/>.</summary>
    /// <exception cref="MediaRefusedException">Refused or not usable; the text is fit for the client.</exception>
    public async Task<ReadOnlyMemory<byte>> FetchAsync(Uri address, MediaBudget budget, CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(_timeout, _time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        try
        {
            await _slots.WaitAsync(stop.Token);
            try
            {
                return await FollowAsync(address, budget, stop.Token);
            }
            finally
            {
                _slots.Release();
            }
        }
        catch (OperationCanceledException error) when (!cancellationToken.IsCancellationRequested)
        {
            throw new MediaRefusedException($"fetching it took over {_timeout.TotalSeconds:0.#} s", error);
        }
        catch (Exception error) when (error is HttpRequestException or IOException)
        {
            throw error.InnerException as MediaRefusedException ?? new MediaRefusedException("its server did not give an answer that can be read", error);
        }
    }

    public void Dispose()
    {
        _http.Dispose();
        _slots.Dispose();
    }

    private async Task<ReadOnlyMemory<byte>> FollowAsync(Uri address, MediaBudget budget, CancellationToken cancellationToken)
    {
        for (int redirects = 0; ; redirects++)
        {
            _rules.Check(address);
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            request.Headers.UserAgent.ParseAdd("mmcluster");
            using HttpResponseMessage response = await _http.SendAsync(request, cancellationToken);
            if ((int)response.StatusCode is 301 or 302 or 303 or 307 or 308 && response.Headers.Location is { } location)
            {
                if (redirects == MaxRedirects)
                {
                    throw new MediaRefusedException($"it redirects over {MaxRedirects} times");
                }
                address = Next(address, location);
            }
            else if (response.StatusCode != HttpStatusCode.OK)
            {
                throw new MediaRefusedException($"its server answered with status {(int)response.StatusCode}");
            }
            else
            {
                return await ReadAsync(response, budget, cancellationToken);
            }
        }
    }

    private static Uri Next(Uri from, Uri location)
    {
        var next = new Uri(from, location);
        return from.Scheme == Uri.UriSchemeHttps && next.Scheme != Uri.UriSchemeHttps
            ? throw new MediaRefusedException("it redirects from https: to something else")
            : next;
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpResponseMessage response, MediaBudget budget, CancellationToken cancellationToken)
    {
        if (response.Content.Headers.ContentLength is { } announced && announced > budget.Left)
        {
            throw budget.Over();
        }
        await using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var bytes = new MemoryStream();
        byte[] chunk = new byte[ChunkBytes];
        int read;
        while ((read = await body.ReadAsync(chunk, cancellationToken)) > 0)
        {
            budget.Take(read);
            bytes.Write(chunk, 0, read);
        }
        return bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
    }

    // One reason for a name that is unknown and for one that leads inside, so that answers do not map the inner network.
    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        IPAddress[] addresses = await ResolveAsync(context.DnsEndPoint.Host, cancellationToken);
        if (addresses.Length == 0 || !addresses.All(PublicAddress.Is))
        {
            throw new MediaRefusedException("its host has no public address");
        }
        Exception? last = null;
        foreach (IPAddress address in addresses)
        {
            try
            {
                return await _network.ConnectAsync(new IPEndPoint(address, context.DnsEndPoint.Port), cancellationToken);
            }
            catch (Exception error) when (error is System.Net.Sockets.SocketException or IOException)
            {
                last = error;
            }
        }
        throw new MediaRefusedException("its server does not answer", last);
    }

    private async Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(host, out IPAddress? literal))
        {
            return [literal];
        }
        try
        {
            return await _network.ResolveAsync(host, cancellationToken);
        }
        catch (System.Net.Sockets.SocketException)
        {
            return [];
        }
    }
}
