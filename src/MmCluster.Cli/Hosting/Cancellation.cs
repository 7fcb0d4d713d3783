namespace MmCluster.Cli.Hosting;

/// <summary>Waiting for a command's stop.</summary>
internal static class Cancellation
{
    /// <summary>Completes when the token is cancelled.</summary>
    public static async Task UntilCancelledAsync(this CancellationToken cancellationToken)
    {
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using CancellationTokenRegistration registration = cancellationToken.Register(stopped.SetResult);
        await stopped.Task;
    }
}
