using System.IO.Compression;
using System.IO.Pipelines;
using System.Net;
using Grpc.Core;
using Grpc.Core.Internal;

namespace Grpc.Net.Client.Internal;

/// <summary>A call with its messages.</summary>
internal sealed class GrpcCall<TRequest, TResponse> : GrpcCall
    where TRequest : class
    where TResponse : class
{
    private static readonly StreamPipeReaderOptions PipeOptions = new(bufferSize: 16 * 1024, minimumReadSize: 4 * 1024);

    private readonly GrpcChannel _channel;
    private readonly Method<TRequest, TResponse> _method;
    private readonly CallOptions _options;

    public GrpcCall(GrpcChannel channel, Method<TRequest, TResponse> method, CallOptions options)
        : base(channel, options)
    {
        _channel = channel;
        _method = method;
        _options = options;
    }

    public CallOptions Options => _options;

    public Marshaller<TRequest> RequestMarshaller => _method.RequestMarshaller;

    public Func<DeserializationContext, TResponse> Deserializer => _method.ResponseMarshaller.ContextualDeserializer;

    /// <summary>A writer with this call's limits and encoding.</summary>
    public FrameWriter NewFrames() => new(_channel.Options.MaxSendMessageSize)
    {
        Gzip = _options.Headers?.GetValue(GrpcHeaders.EncodingRequest) == GrpcHeaders.Gzip ? CompressionLevel.Fastest : null,
    };

    /// <summary>The body of a call with one request.</summary>
    public Func<HttpContent> ContentOf(TRequest request) => () =>
    {
        FrameWriter frames = NewFrames();
        frames.Append(request, RequestMarshaller.ContextualSerializer, ((_options.WriteOptions?.Flags ?? default) & WriteFlags.NoCompress) == 0);
        return new RequestContent(frames.Take());
    };

    /// <summary>Runs a call with one response to its end.</summary>
    public async Task<TResponse> RunAsync(Func<HttpContent> content)
    {
        try
        {
            using HttpResponseMessage response = await SendAsync(content);
            TResponse? message = null;
            if (ResponseProtocol.StatusInHeaders(response) is not { } end)
            {
                PipeReader pipe = PipeReader.Create(response.Content.ReadAsStream(Token), PipeOptions);
                message = await NewReader(response, pipe).ReadSingleAsync(Deserializer, Token);
                await pipe.CompleteAsync();
                end = ResponseProtocol.StatusInTrailers(response);
            }
            if (end.Status.StatusCode == StatusCode.OK && message is null)
            {
                end.Status = new Status(StatusCode.Internal, "Failed to deserialize response message.");
            }
            EndFromServer(end.Status, end.Trailers);
            return Status is { StatusCode: StatusCode.OK } ? message! : throw EndException();
        }
        catch (Exception error)
        {
            throw EndFromError(error);
        }
    }

    /// <summary>Sends the request and waits for a response with messages to read; null when its headers end the call.</summary>
    public async Task<OpenResponse?> OpenAsync(Func<HttpContent> content)
    {
        try
        {
            HttpResponseMessage response = await SendAsync(content);
            if (ResponseProtocol.StatusInHeaders(response) is { } end)
            {
                response.Dispose();
                EndFromServer(end.Status, end.Trailers);
                return null;
            }
            PipeReader pipe = PipeReader.Create(response.Content.ReadAsStream(Token), PipeOptions);
            return new OpenResponse(response, NewReader(response, pipe), pipe);
        }
        catch (Exception error)
        {
            throw EndFromError(error);
        }
    }

    private FrameReader NewReader(HttpResponseMessage response, PipeReader pipe) =>
        new(pipe, _channel.Options.MaxReceiveMessageSize, ResponseProtocol.Encoding(response));

    private async Task<HttpResponseMessage> SendAsync(Func<HttpContent> content)
    {
        if (Status is not null)
        {
            throw EndException();
        }
        HttpContent body = content();
        var request = new HttpRequestMessage(HttpMethod.Post, _channel.UriOf(_method))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = body,
        };
        AddHeaders(request);
        HttpResponseMessage response = await _channel.SendAsync(request, Token);
        (body as RequestContent)?.Sent();
        SetResponse(response);
        return response;
    }

    private void AddHeaders(HttpRequestMessage request)
    {
        request.Headers.TryAddWithoutValidation("user-agent", "grpc-dotnet/2.0 (MmCluster)");
        request.Headers.TryAddWithoutValidation("te", "trailers");
        request.Headers.TryAddWithoutValidation(GrpcHeaders.AcceptEncoding, GrpcHeaders.Accepted);
        request.Content!.Headers.TryAddWithoutValidation("content-type", GrpcHeaders.ContentType);
        if (TimeLeft is { } left)
        {
            request.Headers.TryAddWithoutValidation(GrpcHeaders.Timeout, GrpcTimeout.Encode(left));
        }
        foreach (Metadata.Entry entry in _options.Headers ?? Metadata.Empty)
        {
            if (entry.Key == GrpcHeaders.EncodingRequest)
            {
                request.Headers.TryAddWithoutValidation(GrpcHeaders.Encoding, entry.Value);
            }
            else
            {
                request.Headers.TryAddWithoutValidation(entry.Key, GrpcHeaders.Encode(entry));
            }
        }
    }
}

/// <summary>A response whose messages are being read.</summary>
internal sealed record OpenResponse(HttpResponseMessage Response, FrameReader Reader, PipeReader Pipe);
