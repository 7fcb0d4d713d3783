namespace MmCluster.Models;

/// <summary>What kind of failure an <see cref="MmException"/> is; the names are gRPC's status codes.</summary>
public enum MmErrorCode
{
    /// <summary>The caller's input is wrong.</summary>
    InvalidArgument,

    /// <summary>The named thing does not exist.</summary>
    NotFound,

    /// <summary>No or wrong credentials.</summary>
    Unauthenticated,

    /// <summary>The credentials do not allow this.</summary>
    PermissionDenied,

    /// <summary>The id is already in use.</summary>
    AlreadyExists,

    /// <summary>The caller's own limit is reached.</summary>
    ResourceExhausted,

    /// <summary>We cannot serve this now; the only code that is retried.</summary>
    Unavailable,

    /// <summary>The request's deadline passed.</summary>
    DeadlineExceeded,

    /// <summary>The caller went away or cancelled.</summary>
    Cancelled,

    /// <summary>A bug of ours.</summary>
    Internal,
}

/// <summary>
/// The one error type that crosses layers. Callers act on <see cref="Code"/> and the fields, never on stack or inner type.
/// </summary>
public sealed class MmException : Exception
{
    /// <summary>Creates an error; <paramref name="message"/> names the thing at fault and what to do.</summary>
    public MmException(MmErrorCode code, string message, Exception? inner = null)
        : base(message, inner) => Code = code;

    /// <summary>What kind of failure this is.</summary>
    public MmErrorCode Code { get; }

    /// <summary>The request's parameter at fault, as its caller named it (<c>messages[0].content[1]</c>), or null.</summary>
    public string? Param { get; init; }

    /// <summary>The stage that failed, or null outside a request graph.</summary>
    public string? Stage { get; init; }

    /// <summary>Whether the same call may succeed later: only <see cref="MmErrorCode.Unavailable"/> is.</summary>
    public bool Retryable => Code == MmErrorCode.Unavailable;

    /// <summary>When a retry makes sense, if known.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>
    /// Maps what the layers below throw: content at fault (<see cref="InvalidDataException"/>, <see cref="ArgumentException"/>,
    /// <see cref="NotSupportedException"/>, <see cref="FormatException"/>) is the caller's, a missing file is not found, a peer that does not answer is unavailable, a device without memory is exhausted, anything else is our bug.
    /// </summary>
    public static MmException From(Exception error) => error switch
    {
        MmException known => known,
        FileNotFoundException or DirectoryNotFoundException => new(MmErrorCode.NotFound, error.Message, error),
        InvalidDataException or ArgumentException or NotSupportedException or FormatException or EndOfStreamException
            => new(MmErrorCode.InvalidArgument, error.Message, error),
        UnauthorizedAccessException => new(MmErrorCode.PermissionDenied, error.Message, error),
        TimeoutException => new(MmErrorCode.DeadlineExceeded, error.Message, error),
        OperationCanceledException => new(MmErrorCode.Cancelled, error.Message, error),
        HttpRequestException or System.Net.Sockets.SocketException => new(MmErrorCode.Unavailable, error.Message, error),
        InsufficientMemoryException => new(MmErrorCode.ResourceExhausted, error.Message, error),
        OutOfMemoryException or InsufficientExecutionStackException => new(MmErrorCode.Unavailable, error.Message, error),
        _ => new(MmErrorCode.Internal, error.Message, error),
    };
}
