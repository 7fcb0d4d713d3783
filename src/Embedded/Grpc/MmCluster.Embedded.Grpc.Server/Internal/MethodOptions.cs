using System.IO.Compression;
using Grpc.Core.Internal;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>What is in force for one service: its own options over the common ones.</summary>
internal sealed record MethodOptions(
    int? MaxSend,
    int? MaxReceive,
    bool DetailedErrors,
    bool Gzip,
    CompressionLevel GzipLevel,
    InterceptorRegistration[] Interceptors)
{
    public static MethodOptions Create(GrpcServiceOptions common, GrpcServiceOptions service)
    {
        string? algorithm = service.ResponseCompressionAlgorithm ?? common.ResponseCompressionAlgorithm;
        if (algorithm is not (null or GrpcHeaders.Identity or GrpcHeaders.Gzip))
        {
            throw new InvalidOperationException($"The configured response compression algorithm '{algorithm}' does not have a matching compression provider.");
        }
        return new MethodOptions(
            service.MaxSendMessageSizeSpecified ? service.MaxSendMessageSize : common.MaxSendMessageSize,
            service.MaxReceiveMessageSizeSpecified ? service.MaxReceiveMessageSize
                : common.MaxReceiveMessageSizeSpecified ? common.MaxReceiveMessageSize
                : GrpcServiceOptions.DefaultReceiveMaxMessageSize,
            service.EnableDetailedErrors ?? common.EnableDetailedErrors ?? false,
            algorithm == GrpcHeaders.Gzip,
            service.ResponseCompressionLevel ?? common.ResponseCompressionLevel ?? CompressionLevel.Fastest,
            [.. common.Interceptors, .. service.Interceptors]);
    }
}
