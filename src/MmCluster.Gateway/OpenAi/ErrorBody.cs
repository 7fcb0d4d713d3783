using System.Text.Json;
using Microsoft.AspNetCore.Http;
using MmCluster.Models;

namespace MmCluster.Gateway.OpenAi;

/// <summary>An error in OpenAI's shape: <c>{"error":{"message","type","param","code"}}</c>.</summary>
internal static class ErrorBody
{
    /// <summary>Writes the error as the whole answer, with its HTTP status and Retry-After where it has one.</summary>
    public static async Task WriteAsync(HttpContext http, MmException error)
    {
        http.Response.StatusCode = MmErrorTable.Of(error.Code).Http;
        if (error.RetryAfter is { } wait)
        {
            http.Response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)).ToString(System.Globalization.CultureInfo.InvariantCulture);
        }
        http.Response.ContentType = "application/json";
        await http.Response.Body.WriteAsync(Bytes(error), http.RequestAborted);
    }

    /// <summary>The error as UTF-8 JSON.</summary>
    public static byte[] Bytes(MmException error)
    {
        // An internal error's text may quote what a user must not see.
        string message = error.Code == MmErrorCode.Internal ? "internal error; see the server's log" : error.Message;
        return JsonSerializer.SerializeToUtf8Bytes(new
        {
            error = new { message, type = TypeOf(error.Code), param = error.Param, code = CodeOf(error.Code) },
        });
    }

    private static string TypeOf(MmErrorCode code) => code switch
    {
        MmErrorCode.InvalidArgument or MmErrorCode.NotFound or MmErrorCode.AlreadyExists => "invalid_request_error",
        MmErrorCode.Unauthenticated => "authentication_error",
        MmErrorCode.PermissionDenied => "permission_error",
        MmErrorCode.ResourceExhausted => "rate_limit_error",
        _ => "server_error",
    };

    private static string CodeOf(MmErrorCode code) => code switch
    {
        MmErrorCode.InvalidArgument => "invalid_value",
        MmErrorCode.NotFound => "not_found",
        MmErrorCode.Unauthenticated => "invalid_api_key",
        MmErrorCode.PermissionDenied => "permission_denied",
        MmErrorCode.AlreadyExists => "already_exists",
        MmErrorCode.ResourceExhausted => "rate_limit_exceeded",
        MmErrorCode.Unavailable => "unavailable",
        MmErrorCode.DeadlineExceeded => "deadline_exceeded",
        MmErrorCode.Cancelled => "cancelled",
        _ => "internal_error",
    };
}
