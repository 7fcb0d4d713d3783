namespace Grpc.Net.Client;

/// <summary>Options of a channel.</summary>
public sealed class GrpcChannelOptions
{
    private const int DefaultMaxReceiveMessageSize = 4 * 1024 * 1024;

    /// <summary>Creates options with the defaults.</summary>
    public GrpcChannelOptions()
    {
    }

    /// <summary>The largest message sent, in bytes before compression; null (the default) is no limit.</summary>
    public int? MaxSendMessageSize { get; set; }

    /// <summary>The largest message received, in bytes after decompression; null is no limit, the default is 4 MiB.</summary>
    public int? MaxReceiveMessageSize { get; set; } = DefaultMaxReceiveMessageSize;

    /// <summary>The client to send with, or null for one of the channel's own. Excludes <see cref="HttpHandler"/>.</summary>
    public HttpClient? HttpClient { get; set; }

    /// <summary>The handler to send with, or null for one of the channel's own. Excludes <see cref="HttpClient"/>.</summary>
    public HttpMessageHandler? HttpHandler { get; set; }

    /// <summary>Whether the channel disposes the client or handler given to it; false unless set.</summary>
    public bool DisposeHttpClient { get; set; }

    /// <summary>Whether a cancelled or expired call throws <see cref="OperationCanceledException"/> in place of RpcException.</summary>
    public bool ThrowOperationCanceledOnCancellation { get; set; }
}
