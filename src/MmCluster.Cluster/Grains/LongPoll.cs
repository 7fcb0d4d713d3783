namespace MmCluster.Cluster.Grains;

/// <summary>Lets callers wait for the next version of something, never longer than a grain call may take. Belongs to one grain.</summary>
internal sealed class LongPoll(TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes with the next <see cref="Change"/>, or after a while without one.</summary>
    public async Task WaitAsync()
    {
        try
        {
            await _changed.Task.WaitAsync(Patience, time);
        }
        catch (TimeoutException)
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
