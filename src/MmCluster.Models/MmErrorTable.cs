namespace MmCluster.Models;

/// <summary>How an <see cref="MmErrorCode"/> looks outside: gRPC status, HTTP status and process exit code, in one table.</summary>
public static class MmErrorTable
{
    /// <summary>The gRPC status code (google.rpc.Code), HTTP status and exit code of <paramref name="code"/>.</summary>
    public static (int Grpc, int Http, int Exit) Of(MmErrorCode code) => code switch
    {
        MmErrorCode.InvalidArgument => (3, 400, 2),
        MmErrorCode.NotFound => (5, 404, 2),
        MmErrorCode.Unauthenticated => (16, 401, 2),
        MmErrorCode.PermissionDenied => (7, 403, 2),
        MmErrorCode.AlreadyExists => (6, 409, 2),
        MmErrorCode.ResourceExhausted => (8, 429, 1),
        MmErrorCode.Unavailable => (14, 503, 1),
        MmErrorCode.DeadlineExceeded => (4, 504, 1),
        MmErrorCode.Cancelled => (1, 499, 130),
        MmErrorCode.Internal => (13, 500, 70),
        _ => throw new ArgumentOutOfRangeException(nameof(code), code, "not an error code"),
    };
}
