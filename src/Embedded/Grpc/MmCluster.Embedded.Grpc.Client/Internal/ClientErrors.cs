using System.Net.Sockets;
using Grpc.Core;

namespace Grpc.Net.Client.Internal;

/// <summary>What a failed HTTP request is as a status.</summary>
internal static class ClientErrors
{
    // RFC 9113, section 7.
    private const long RefusedStream = 7;
    private const long Cancelled = 8;
    private const long EnhanceYourCalm = 11;
    private const long InadequateSecurity = 12;

    public static StatusCode StatusOf(Exception error)
    {
        bool connection = false;
        for (Exception? current = error; current is not null; current = current.InnerException)
        {
            switch (current)
            {
                case HttpProtocolException protocol:
                    return protocol.ErrorCode switch
                    {
                        RefusedStream => StatusCode.Unavailable,
                        Cancelled => StatusCode.Cancelled,
                        EnhanceYourCalm => StatusCode.ResourceExhausted,
                        InadequateSecurity => StatusCode.PermissionDenied,
                        _ => StatusCode.Internal,
                    };
                case HttpIOException { HttpRequestError: HttpRequestError.InvalidResponse or HttpRequestError.HttpProtocolError }:
                    return StatusCode.Internal;
                case SocketException or IOException:
                case HttpRequestException
                {
                    HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError
                }:
                    connection = true;
                    break;
                case OperationCanceledException:
                    return StatusCode.Cancelled;
                default:
                    break;
            }
        }
        return connection ? StatusCode.Unavailable : StatusCode.Internal;
    }

    /// <summary>The exceptions' types and texts, outermost first.</summary>
    public static string Describe(Exception error)
    {
        var parts = new List<string>();
        for (Exception? current = error; current is not null; current = current.InnerException)
        {
            parts.Add($"{current.GetType().Name}: {current.Message}");
        }
        return string.Join(" ", parts);
    }
}
