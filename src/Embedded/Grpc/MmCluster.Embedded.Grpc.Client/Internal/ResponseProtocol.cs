using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Grpc.Core;
using Grpc.Core.Internal;

namespace Grpc.Net.Client.Internal;

/// <summary>Reads what a response's headers and trailers say.</summary>
internal static class ResponseProtocol
{
    /// <summary>The status of a response that is no gRPC stream of messages, or null when messages may follow.</summary>
    public static (Status Status, Metadata Trailers)? StatusInHeaders(HttpResponseMessage response)
    {
        string? contentType = Value(response.Content.Headers, "content-type");
        if (response.StatusCode != HttpStatusCode.OK)
        {
            if (GrpcHeaders.IsGrpc(contentType) && ReadStatus(response.Headers) is { } said)
            {
                return (said, ReadMetadata(response.Headers));
            }
            return (new Status(Map(response.StatusCode), $"Bad gRPC response. HTTP status code: {(int)response.StatusCode}"), Metadata.Empty);
        }
        if (contentType is null)
        {
            return (new Status(StatusCode.Cancelled, "Bad gRPC response. Response did not have a content-type header."), Metadata.Empty);
        }
        if (!GrpcHeaders.IsGrpc(contentType))
        {
            return (new Status(StatusCode.Cancelled, $"Bad gRPC response. Invalid content-type value: {contentType}"), Metadata.Empty);
        }
        return ReadStatus(response.Headers) is { } status ? (status, ReadMetadata(response.Headers)) : null;
    }

    /// <summary>The status behind the last message.</summary>
    public static (Status Status, Metadata Trailers) StatusInTrailers(HttpResponseMessage response) =>
        ReadStatus(response.TrailingHeaders) is { } status
            ? (status, ReadMetadata(response.TrailingHeaders))
            : (new Status(StatusCode.Cancelled, "No grpc-status found on response."), Metadata.Empty);

    /// <summary>The response's metadata.</summary>
    public static Metadata ReadHeaders(HttpResponseMessage response) => ReadMetadata(response.Headers);

    /// <summary>The encoding of the response's compressed messages, or null.</summary>
    public static string? Encoding(HttpResponseMessage response) => Value(response.Headers, GrpcHeaders.Encoding);

    private static Status? ReadStatus(HttpResponseHeaders headers)
    {
        if (Value(headers, GrpcHeaders.Status) is not { } text)
        {
            return null;
        }
        string message = PercentEncoding.Decode(Value(headers, GrpcHeaders.Message) ?? "");
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int code)
            ? new Status((StatusCode)code, message)
            : new Status(StatusCode.Cancelled, $"Unexpected grpc-status value: {text}");
    }

    private static Metadata ReadMetadata(HttpResponseHeaders headers)
    {
        Metadata metadata = [];
        foreach ((string name, HeaderStringValues values) in headers.NonValidated)
        {
            if (GrpcHeaders.IsProtocol(name))
            {
                continue;
            }
            foreach (string value in values)
            {
                GrpcHeaders.AddTo(metadata, name, value);
            }
        }
        return metadata;
    }

    private static string? Value(HttpHeaders headers, string name) =>
        headers.NonValidated.TryGetValues(name, out HeaderStringValues values) ? values.ToString() : null;

    private static StatusCode Map(HttpStatusCode code) => code switch
    {
        HttpStatusCode.BadRequest => StatusCode.Internal,
        HttpStatusCode.Unauthorized => StatusCode.Unauthenticated,
        HttpStatusCode.Forbidden => StatusCode.PermissionDenied,
        HttpStatusCode.NotFound => StatusCode.Unimplemented,
        HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway
            or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout => StatusCode.Unavailable,
        _ => StatusCode.Unknown,
    };
}
