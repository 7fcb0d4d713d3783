using System.Net;

namespace MmCluster.Models.Hub;

/// <summary>What a hub's refusals mean, and which are worth another attempt.</summary>
internal static class HubErrors
{
    private const int NoSpace = 28; // ENOSPC, which .NET hands on as the HResult

    /// <summary>The error of an unsuccessful answer.</summary>
    /// <param name="response">The answer.</param>
    /// <param name="what">The model, or the file in it.</param>
    /// <param name="hasToken">Whether a token was sent.</param>
    public static MmException From(HttpResponseMessage response, string what, bool hasToken)
    {
        string code = response.Headers.TryGetValues("X-Error-Code", out IEnumerable<string>? values) ? values.First() : "";
        string host = response.RequestMessage?.RequestUri?.Host ?? "the hub";
        return (response.StatusCode, code) switch
        {
            (HttpStatusCode.NotFound, _) or (_, "RepoNotFound" or "RevisionNotFound" or "EntryNotFound") => new(
                MmErrorCode.NotFound, $"{what}: {host} has no such thing{(hasToken ? "" : ", or it is private: set HF_TOKEN")}"),
            (HttpStatusCode.Unauthorized, _) => new(
                MmErrorCode.Unauthenticated, $"{what}: {host} wants a token: {(hasToken ? "the one in HF_TOKEN is not accepted" : "set HF_TOKEN")}"),
            (HttpStatusCode.Forbidden, _) => new(
                MmErrorCode.PermissionDenied, $"{what}: {host} refuses access{(code == "GatedRepo" ? ": accept its terms on its page first" : "")}"),
            (HttpStatusCode.TooManyRequests, _) => new(
                MmErrorCode.ResourceExhausted, $"{what}: {host} limits the rate of requests: try later")
            {
                RetryAfter = RetryAfter(response),
            },
            ( >= HttpStatusCode.InternalServerError or HttpStatusCode.RequestTimeout, _) => new(
                MmErrorCode.Unavailable, $"{what}: {host} answers {(int)response.StatusCode}")
            {
                RetryAfter = RetryAfter(response),
            },
            _ => new(MmErrorCode.Internal, $"{what}: {host} answers {(int)response.StatusCode}, which is not expected"),
        };
    }

    /// <summary>Whether an answer with this status may be another one later.</summary>
    public static bool IsTransient(HttpStatusCode status) =>
        status is HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout or >= HttpStatusCode.InternalServerError;

    /// <summary>Whether another attempt may succeed: broken connections and what is wrapped as transient.</summary>
    public static bool IsTransient(Exception error) => error is TransientHubException or HttpRequestException or TimeoutException;

    /// <summary>Whether the disk has no space left.</summary>
    public static bool IsDiskFull(Exception error) => error is IOException { HResult: NoSpace };

    // A hub's wish is honoured up to five minutes; what a date in this header means would need the hub's clock.
    private static TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter?.Delta is { } delta
        ? TimeSpan.FromSeconds(Math.Clamp(delta.TotalSeconds, 0, 300)) : null;
}

/// <summary>A refusal that may pass; <see cref="Error"/> is what it becomes when all attempts are used up.</summary>
internal sealed class TransientHubException(MmException error) : Exception(error.Message, error)
{
    public MmException Error { get; } = error;
}
