namespace MmCluster.Cluster.Grains;

/// <summary>Lets callers wait for the next version of something, never longer than a grain call may take. Belongs to one grain.</summary>
/// <param name="time">The clock.</param>
/// <param name="stopping">Of the silo: a grain leaves it when its calls have ended, so none waits on then.</param>
internal sealed class LongPoll(TimeProvider time, CancellationToken stopping)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    // Whoever asks again before the grain has left: not at once, nor long.
    private static readonly TimeSpan LastPatience = TimeSpan.FromMilliseconds(20);

    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes with the next <see cref="Change"/>, or after a while without one.</summary>
    public async Task WaitAsync()
    {
        try
        {
            await (stopping.IsCancellationRequested ? _changed.Task.WaitAsync(LastPatience, time) : _changed.Task.WaitAsync(Patience, time, stopping));
        }
        catch (Exception error) when (error is TimeoutException or OperationCanceledException)
        {
            // The caller gets what there is and asks again.
        }
    }

    public void Change()
    {
        TaskCompletionSource changed = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.TrySetResult();
    }
}
