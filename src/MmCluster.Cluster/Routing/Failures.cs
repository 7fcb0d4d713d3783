using MmCluster.Models;

namespace MmCluster.Cluster.Routing;

/// <summary>What calls to stages fail with.</summary>
internal static class Failures
{
    /// <summary>Whether another replica may do better.</summary>
    public static bool IsRetryable(Exception error) =>
        error is MmException { Retryable: true } or StageNotPlacedException or OrleansException or TimeoutException or EnumerationAbortedException;

    /// <summary>Whether it tells that the stage is not there, so that the routes are out of date.</summary>
    public static bool TellsOfLoss(Exception error) => IsRetryable(error) && error is not MmException;

    /// <summary>The error as callers see it.</summary>
    public static MmException From(Exception error) => error is StageNotPlacedException or OrleansException or TimeoutException or EnumerationAbortedException
        ? new MmException(MmErrorCode.Unavailable, $"a stage is not reachable: {error.Message}", error) { RetryAfter = TimeSpan.FromSeconds(1) }
        : MmException.From(error);
}
