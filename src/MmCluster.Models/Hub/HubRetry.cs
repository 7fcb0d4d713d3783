namespace MmCluster.Models.Hub;

/// <summary>
/// Repeats an attempt that failed for a passing reason, after 1, 2, 4, ... up to 30 s, or after what the hub asked for. An attempt that
/// made progress starts the count anew, so that a long transfer survives any number of breaks.
/// </summary>
internal sealed class HubRetry(int maxAttempts, TimeProvider time)
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    /// <summary>Runs attempts until one succeeds, fails for good, or too many in a row brought nothing.</summary>
    /// <param name="what">What errors call it.</param>
    /// <param name="attempt">One attempt.</param>
    /// <param name="progress">A number that grows when something was achieved.</param>
    /// <param name="stop">Ends the waiting.</param>
    /// <exception cref="MmException">The last attempt's error.</exception>
    public async Task<T> RunAsync<T>(string what, Func<CancellationToken, Task<T>> attempt, Func<long> progress, CancellationToken stop)
    {
        for (int failures = 0; ;)
        {
            long before = progress();
            try
            {
                return await attempt(stop);
            }
            catch (Exception error) when (HubErrors.IsTransient(error) && !stop.IsCancellationRequested)
            {
                failures = progress() > before ? 1 : failures + 1;
                MmException final = (error as TransientHubException)?.Error
                    ?? new MmException(MmErrorCode.Unavailable, $"{what}: {error.Message}", error);
                if (failures >= maxAttempts)
                {
                    throw final;
                }
                await Task.Delay(final.RetryAfter ?? Wait(failures), time, stop);
            }
        }
    }

    // Up to a quarter less, so that many clients of a hub that was down do not come back in step.
    private static TimeSpan Wait(int failures) =>
        TimeSpan.FromSeconds(Math.Min(Math.Pow(2, failures - 1), LongestWait.TotalSeconds) * (1 - (Random.Shared.NextDouble() / 4)));
}
