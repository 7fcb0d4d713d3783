using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Core.Internal;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>
/// A call carried by an HTTP/2 request. Handler and deadline race for its end: whoever takes <see cref="TryEnd"/> first
/// writes the status, the other writes nothing.
/// </summary>
internal sealed class HttpCallContext : ServerCallContext, IDisposable
{
    private static readonly AuthContext Anonymous = new(null, []);

    private readonly MethodOptions _options;
    private readonly TimeProvider _time;
    private Metadata? _requestHeaders;
    private Metadata? _trailers;
    private ServerDeadline? _deadline;
    private FramePump? _pump;
    private int _ended;

    public HttpCallContext(HttpContext http, MethodOptions options, TimeProvider time)
    {
        HttpContext = http;
        _options = options;
        _time = time;
        Frames = new FrameWriter(options.MaxSend);
        string? encoding = http.Request.Headers[GrpcHeaders.Encoding];
        if (encoding is not (null or GrpcHeaders.Identity or GrpcHeaders.Gzip))
        {
            http.Response.Headers[GrpcHeaders.AcceptEncoding] = GrpcHeaders.Accepted;
            throw new RpcException(FrameErrors.UnsupportedEncoding(encoding));
        }
        Requests = new FrameReader(http.Request.BodyReader, options.MaxReceive, encoding);
        if (options.Gzip && AcceptsGzip(http.Request.Headers[GrpcHeaders.AcceptEncoding]))
        {
            UseGzip();
        }
    }

    public HttpContext HttpContext { get; }

    public FrameReader Requests { get; }

    public FrameWriter Frames { get; }

    /// <summary>The pump of a streamed response, made at its first use.</summary>
    public FramePump Pump => _pump ??= new FramePump(Frames, SendAsync, open: true);

    public bool HasEnded => Volatile.Read(ref _ended) != 0;

    protected override string MethodCore => HttpContext.Request.Path.Value!;

    protected override string HostCore => HttpContext.Request.Host.Value ?? "";

    protected override string PeerCore => HttpContext.Connection.RemoteIpAddress switch
    {
        null => "unknown",
        { AddressFamily: AddressFamily.InterNetworkV6 } v6 when !v6.IsIPv4MappedToIPv6 => $"ipv6:[{v6}]:{HttpContext.Connection.RemotePort}",
        IPAddress v4 => $"ipv4:{v4.MapToIPv4()}:{HttpContext.Connection.RemotePort}",
    };

    protected override DateTime DeadlineCore => _deadline?.At ?? DateTime.MaxValue;

    protected override Metadata RequestHeadersCore => _requestHeaders ??= ReadHeaders(HttpContext.Request.Headers);

    protected override CancellationToken CancellationTokenCore => _deadline?.Token ?? HttpContext.RequestAborted;

    protected override Metadata ResponseTrailersCore => _trailers ??= [];

    protected override Status StatusCore { get; set; } = Status.DefaultSuccess;

    protected override WriteOptions? WriteOptionsCore { get; set; }

    protected override AuthContext AuthContextCore => Anonymous;

    protected override IDictionary<object, object> UserStateCore => HttpContext.Items!;

    /// <summary>Starts the deadline when the caller sent one; a header that cannot be read is ignored.</summary>
    public void StartDeadline()
    {
        StringValues header = HttpContext.Request.Headers[GrpcHeaders.Timeout];
        if (header.Count > 0 && GrpcTimeout.TryDecode(header[0], out TimeSpan left) && left > TimeSpan.Zero)
        {
            _deadline = new ServerDeadline(this, _time, left < GrpcTimeout.Longest ? left : GrpcTimeout.Longest);
        }
    }

    /// <summary>True for the first who asks: it ends the call.</summary>
    public bool TryEnd() => Interlocked.Exchange(ref _ended, 1) == 0;

    /// <summary>Writes the status behind what was sent.</summary>
    public void WriteTrailers() => Trailers.Write(HttpContext, StatusCore, _trailers);

    /// <summary>Ends the call from its deadline.</summary>
    public async Task ExpireAsync()
    {
        if (!TryEnd())
        {
            return;
        }
        StatusCore = new Status(StatusCode.DeadlineExceeded, "Deadline Exceeded");
        _pump?.Fail(new InvalidOperationException("Can't write the message because the request is complete."));
        if (_pump?.Sending == true)
        {
            // The caller takes no data, so it would take no trailers either.
            HttpContext.Features.Get<IHttpResetFeature>()?.Reset((int)Http2Error.Cancel);
            return;
        }
        WriteTrailers();
        await HttpContext.Response.CompleteAsync();
    }

    /// <summary>Frees what the call holds; the handler has returned.</summary>
    public void Dispose()
    {
        _deadline?.Dispose();
        FrameWriter.Return(Frames.Take().Array);
    }

    /// <summary>Sends bytes to the caller; ends when the transport has taken them.</summary>
    public async ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        if (!HttpContext.Response.HasStarted)
        {
            await HttpContext.Response.StartAsync();
        }
        FlushResult _ = await HttpContext.Response.BodyWriter.WriteAsync(bytes);
    }

    protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) =>
        throw new NotSupportedException("CreatePropagationToken is not supported; pass deadline and token to the next call.");

    protected override async Task WriteResponseHeadersAsyncCore(Metadata responseHeaders)
    {
        ArgumentNullException.ThrowIfNull(responseHeaders);
        if (HttpContext.Response.HasStarted)
        {
            throw new InvalidOperationException("Response headers can only be sent once per call.");
        }
        foreach (Metadata.Entry entry in responseHeaders)
        {
            if (entry.Key != GrpcHeaders.EncodingRequest)
            {
                HttpContext.Response.Headers.Append(entry.Key, GrpcHeaders.Encode(entry));
            }
            else if (entry.Value == GrpcHeaders.Gzip)
            {
                UseGzip();
            }
            else
            {
                Frames.Gzip = null;
                HttpContext.Response.Headers.Remove(GrpcHeaders.Encoding);
            }
        }
        await HttpContext.Response.StartAsync();
        await HttpContext.Response.BodyWriter.FlushAsync();
    }

    private static bool AcceptsGzip(StringValues accepted) =>
        accepted.Any(value => value!.Split(',', StringSplitOptions.TrimEntries).Contains(GrpcHeaders.Gzip));

    private static Metadata ReadHeaders(IHeaderDictionary headers)
    {
        var metadata = new Metadata();
        foreach ((string name, StringValues values) in headers)
        {
            if (GrpcHeaders.IsProtocol(name))
            {
                continue;
            }
            foreach (string? value in values)
            {
                GrpcHeaders.AddTo(metadata, name, value ?? "");
            }
        }
        return metadata;
    }

    private void UseGzip()
    {
        Frames.Gzip = _options.GzipLevel;
        HttpContext.Response.Headers[GrpcHeaders.Encoding] = GrpcHeaders.Gzip;
    }
}

/// <summary>The HTTP/2 error codes in use.</summary>
internal enum Http2Error
{
    Cancel = 8,
}
