using System.Globalization;
using Grpc.Core;
using MmCluster.Models;

namespace MmCluster.Gateway.Grpc;

/// <summary>
/// An error as a gRPC status: the code by <see cref="MmErrorTable"/>, and in the trailers what callers act on: <c>mm-code</c> (the
/// <see cref="MmErrorCode"/> by name), <c>mm-param</c>, <c>mm-stage</c> and <c>mm-retry-after-ms</c> where they are known.
/// </summary>
internal static class RpcErrors
{
    public const string Code = "mm-code";
    public const string Param = "mm-param";
    public const string Stage = "mm-stage";
    public const string RetryAfter = "mm-retry-after-ms";

    /// <summary>The status of what a handler threw.</summary>
    public static RpcException From(Exception error)
    {
        if (error is RpcException known)
        {
            return known;
        }
        MmException mapped = MmException.From(error);
        var trailers = new Metadata { { Code, mapped.Code.ToString() } };
        Add(trailers, Param, mapped.Param);
        Add(trailers, Stage, mapped.Stage);
        if (mapped.RetryAfter is { } wait)
        {
            trailers.Add(RetryAfter, Math.Max(0, (long)wait.TotalMilliseconds).ToString(CultureInfo.InvariantCulture));
        }
        return new RpcException(new Status((StatusCode)MmErrorTable.Of(mapped.Code).Grpc, MessageOf(mapped)), trailers);
    }

    /// <summary>What a caller may read; an internal error's text may quote what it must not see.</summary>
    public static string MessageOf(MmException error) =>
        error.Code == MmErrorCode.Internal ? "internal error; see the server's log" : error.Message;

    // Text metadata is printable ASCII; a parameter's path may quote a caller's own field name.
    private static void Add(Metadata trailers, string key, string? value)
    {
        if (!string.IsNullOrEmpty(value))
        {
            trailers.Add(key, string.Concat(value.Take(256).Select(c => c is >= ' ' and <= '~' ? c : '?')));
        }
    }
}
