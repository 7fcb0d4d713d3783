using System.Collections.Concurrent;
using System.Net;
using Grpc.Core;
using Grpc.Net.Client.Internal;

namespace Grpc.Net.Client;

/// <summary>
/// A way to one server over HTTP/2, by prior knowledge (http) or TLS (https). Thread-safe; make one per server and keep it.
/// </summary>
public sealed class GrpcChannel : ChannelBase, IDisposable
{
    private readonly HttpMessageInvoker _http;
    private readonly bool _ownsHttp;
    private readonly ConcurrentDictionary<IMethod, Uri> _uris = [];
    private readonly Lock _lock = new();
    private readonly HashSet<IDisposable> _calls = [];
    private bool _disposed;

    private GrpcChannel(Uri address, GrpcChannelOptions options)
        : base(address.Authority)
    {
        if (options.HttpClient is not null && options.HttpHandler is not null)
        {
            throw new ArgumentException("HttpClient and HttpHandler have been configured. Only one HTTP caller can be specified.");
        }
        Address = address;
        Options = options;
        _ownsHttp = (options.HttpClient is null && options.HttpHandler is null) || options.DisposeHttpClient;
        _http = options.HttpClient ?? new HttpMessageInvoker(options.HttpHandler ?? NewHandler(), disposeHandler: _ownsHttp);
    }

    internal Uri Address { get; }

    internal GrpcChannelOptions Options { get; }

    internal TimeProvider Time { get; set; } = TimeProvider.System;

    /// <summary>A channel to an address such as <c>http://127.0.0.1:5000</c>.</summary>
    public static GrpcChannel ForAddress(string address) => ForAddress(address, new GrpcChannelOptions());

    /// <summary>A channel with options to an address such as <c>http://127.0.0.1:5000</c>.</summary>
    public static GrpcChannel ForAddress(string address, GrpcChannelOptions channelOptions) => ForAddress(new Uri(address), channelOptions);

    /// <summary>A channel to an address.</summary>
    public static GrpcChannel ForAddress(Uri address) => ForAddress(address, new GrpcChannelOptions());

    /// <summary>A channel with options to an address.</summary>
    public static GrpcChannel ForAddress(Uri address, GrpcChannelOptions channelOptions)
    {
        ArgumentNullException.ThrowIfNull(address);
        ArgumentNullException.ThrowIfNull(channelOptions);
        if (address.Scheme != Uri.UriSchemeHttp && address.Scheme != Uri.UriSchemeHttps)
        {
            throw new ArgumentException($"{address}: a channel's address starts with http:// or https://", nameof(address));
        }
        return new GrpcChannel(address, channelOptions);
    }

    /// <summary>An invoker of calls over this channel.</summary>
    public override CallInvoker CreateCallInvoker()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new HttpCallInvoker(this);
    }

    /// <summary>Ends all calls and, unless they were given to it, the connections.</summary>
    public void Dispose()
    {
        IDisposable[] calls;
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }
            _disposed = true;
            calls = [.. _calls];
        }
        foreach (IDisposable call in calls)
        {
            call.Dispose();
        }
        if (_ownsHttp)
        {
            _http.Dispose();
        }
    }

    internal Uri UriOf(IMethod method) =>
        _uris.GetOrAdd(method, static (method, address) => new Uri(address, method.FullName), Address);

    internal Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        _http is HttpClient client
            ? client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken)
            : _http.SendAsync(request, cancellationToken);

    internal void Add(IDisposable call)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _calls.Add(call);
        }
    }

    internal void Remove(IDisposable call)
    {
        lock (_lock)
        {
            _calls.Remove(call);
        }
    }

    /// <summary>Ends the channel.</summary>
    protected override Task ShutdownAsyncCore()
    {
        Dispose();
        return Task.CompletedTask;
    }

    private static SocketsHttpHandler NewHandler() => new()
    {
        EnableMultipleHttp2Connections = true,
        InitialHttp2StreamWindowSize = 1024 * 1024,
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = false,
        AutomaticDecompression = DecompressionMethods.None,
    };
}
