using System.IO.Compression;

namespace Grpc.AspNetCore.Server;

/// <summary>Options of all services; a service's own options win over them.</summary>
public class GrpcServiceOptions
{
    internal const int DefaultReceiveMaxMessageSize = 4 * 1024 * 1024;

    private int? _maxSendMessageSize;
    private int? _maxReceiveMessageSize;

    /// <summary>Creates options without any setting.</summary>
    public GrpcServiceOptions()
    {
    }

    /// <summary>The largest message sent, in bytes before compression; null (the default) is no limit.</summary>
    public int? MaxSendMessageSize
    {
        get => _maxSendMessageSize;
        set
        {
            _maxSendMessageSize = value;
            MaxSendMessageSizeSpecified = true;
        }
    }

    /// <summary>Whether <see cref="MaxSendMessageSize"/> was set, to null perhaps.</summary>
    public bool MaxSendMessageSizeSpecified { get; set; }

    /// <summary>The largest message received, in bytes after decompression; null is no limit, the default is 4 MiB.</summary>
    public int? MaxReceiveMessageSize
    {
        get => _maxReceiveMessageSize;
        set
        {
            _maxReceiveMessageSize = value;
            MaxReceiveMessageSizeSpecified = true;
        }
    }

    /// <summary>Whether <see cref="MaxReceiveMessageSize"/> was set, to null perhaps.</summary>
    public bool MaxReceiveMessageSizeSpecified { get; set; }

    /// <summary>Whether the text of an unexpected exception goes to the caller; false unless set.</summary>
    public bool? EnableDetailedErrors { get; set; }

    /// <summary>"gzip" compresses responses for callers that accept it; null does not.</summary>
    public string? ResponseCompressionAlgorithm { get; set; }

    /// <summary>How hard to compress; <see cref="CompressionLevel.Fastest"/> unless set.</summary>
    public CompressionLevel? ResponseCompressionLevel { get; set; }

    /// <summary>True leaves calls to unknown services to other middleware; otherwise they end as Unimplemented.</summary>
    public bool? IgnoreUnknownServices { get; set; }

    /// <summary>The interceptors, outermost first. A service's own run inside the common ones.</summary>
    public InterceptorCollection Interceptors { get; } = [];
}

/// <summary>Options of one service.</summary>
public class GrpcServiceOptions<TService> : GrpcServiceOptions
    where TService : class
{
    /// <summary>Creates options without any setting.</summary>
    public GrpcServiceOptions()
    {
    }
}
