using System.Globalization;
using Grpc.Core;

namespace MmCluster.Client;

/// <summary>A call that the server refused, or that failed. Act on <see cref="Code"/> and the fields, not on the text.</summary>
public sealed class MmClientException : Exception
{
    internal MmClientException(RpcException error)
        : base(TextOf(error.Status), error)
    {
        Code = error.Trailers.GetValue("mm-code") ?? error.StatusCode.ToString();
        Param = error.Trailers.GetValue("mm-param");
        Stage = error.Trailers.GetValue("mm-stage");
        RetryAfter = long.TryParse(error.Trailers.GetValue("mm-retry-after-ms"), NumberStyles.None, CultureInfo.InvariantCulture, out long wait)
            ? TimeSpan.FromMilliseconds(wait)
            : null;
    }

    /// <summary>What kind of failure: InvalidArgument, NotFound, Unauthenticated, PermissionDenied, AlreadyExists, ResourceExhausted, Unavailable, DeadlineExceeded, Cancelled, Unimplemented or Internal.</summary>
    public string Code { get; }

    /// <summary>The request's field at fault, or null.</summary>
    public string? Param { get; }

    /// <summary>The stage that failed, or null.</summary>
    public string? Stage { get; }

    /// <summary>Whether the same call may succeed later.</summary>
    public bool Retryable => Code == nameof(StatusCode.Unavailable);

    /// <summary>When to try again, where the server says.</summary>
    public TimeSpan? RetryAfter { get; }

    // Of a failed connection the library tells every exception on the way, by its type.
    private static string TextOf(Status status) => status is { StatusCode: StatusCode.Unavailable, DebugException: { } cause }
        ? $"the connection failed: {cause.GetBaseException().Message}"
        : status.Detail.Length > 0 ? status.Detail : status.StatusCode.ToString();
}
