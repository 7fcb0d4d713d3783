using Grpc.Core;
using Grpc.Core.Internal;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Ends a response with its status.</summary>
internal static class Trailers
{
    /// <summary>Puts status and metadata behind the messages, or into the headers when none was sent.</summary>
    public static void Write(HttpContext http, Status status, Metadata? metadata)
    {
        IHeaderDictionary target = http.Response.HasStarted
            ? http.Features.Get<IHttpResponseTrailersFeature>()?.Trailers
                ?? throw new InvalidOperationException("Trailers are not supported for this request.")
            : http.Response.Headers;
        if (metadata is not null)
        {
            foreach (Metadata.Entry entry in metadata)
            {
                target.Append(entry.Key, GrpcHeaders.Encode(entry));
            }
        }
        target[GrpcHeaders.Status] = GrpcHeaders.Number(status.StatusCode);
        if (!string.IsNullOrEmpty(status.Detail))
        {
            target[GrpcHeaders.Message] = PercentEncoding.Encode(status.Detail);
        }
    }
}
