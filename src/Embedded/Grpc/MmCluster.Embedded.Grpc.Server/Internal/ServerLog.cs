using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Grpc.AspNetCore.Server.Internal;

internal static partial class ServerLog
{
    [LoggerMessage(EventId = 6, Level = LogLevel.Error, Message = "Error when executing service method '{ServiceMethod}'.")]
    public static partial void HandlerError(ILogger logger, Exception error, string serviceMethod);

    [LoggerMessage(EventId = 7, Level = LogLevel.Information, Message = "{ServiceMethod}: error status code '{StatusCode}' with detail '{Detail}' raised.")]
    public static partial void RpcError(ILogger logger, string serviceMethod, StatusCode statusCode, string detail);

    [LoggerMessage(EventId = 8, Level = LogLevel.Debug, Message = "Service method '{ServiceMethod}' was cancelled by its caller or its deadline.")]
    public static partial void Cancelled(ILogger logger, string serviceMethod);
}
