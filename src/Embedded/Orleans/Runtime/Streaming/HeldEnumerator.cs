using Orleans.Serialization;

namespace Orleans.Runtime.Streaming;

/// <summary>An enumerator that a grain method made, whatever its items.</summary>
internal abstract class HeldEnumerator
{
    public abstract TimeSpan IdleFor(TimeProvider time);

    /// <summary>Waits for one item at most <paramref name="poll"/>, then takes as many as are there, up to the batch size.</summary>
    public abstract Task<Step> NextAsync(TimeSpan poll, TimeProvider time);

    public abstract Task CloseAsync();
}

/// <summary>An enumerator that a grain method made, and the step it is in. It lives in its activation's turns.</summary>
internal sealed class HeldEnumerator<T>(IAsyncEnumerable<T> items, int batchSize, CancellationTokenSource cancellation, bool isRemote) : HeldEnumerator
{
    private readonly IAsyncEnumerator<T> _enumerator = items.GetAsyncEnumerator(cancellation.Token);
    private Task<bool>? _moving;
    private long _askedAt;
    private bool _asking = true; // from the start, so that it cannot expire before its first step
    private bool _closed;

    public override TimeSpan IdleFor(TimeProvider time) =>
        Volatile.Read(ref _asking) ? TimeSpan.Zero : time.GetElapsedTime(Volatile.Read(ref _askedAt));

    public override async Task<Step> NextAsync(TimeSpan poll, TimeProvider time)
    {
        Volatile.Write(ref _asking, true);
        List<T> batch = [];
        try
        {
            while (true)
            {
                Task<bool> moving = _moving ??= _enumerator.MoveNextAsync().AsTask();
                if (!moving.IsCompleted && batch.Count > 0)
                {
                    return new Step<T>(StepStatus.Items, Copy(batch), null);
                }
                if (!moving.IsCompleted && !await IsMovedAsync(moving, poll, time))
                {
                    return new Step<T>(StepStatus.Heartbeat, [], null);
                }
                _moving = null;
                if (!await moving)
                {
                    return new Step<T>(StepStatus.Completed, Copy(batch), null);
                }
                batch.Add(_enumerator.Current);
                if (batch.Count == batchSize)
                {
                    return new Step<T>(StepStatus.Items, Copy(batch), null);
                }
            }
        }
        catch (Exception error)
        {
            return new Step<T>(StepStatus.Failed, Copy(batch), error);
        }
        finally
        {
            Volatile.Write(ref _askedAt, time.GetTimestamp());
            Volatile.Write(ref _asking, false);
        }
    }

    public override async Task CloseAsync()
    {
        if (Interlocked.Exchange(ref _closed, true))
        {
            return;
        }
        await cancellation.CancelAsync();
        try
        {
            // An iterator cannot be disposed while it moves; the token makes it stop.
            if (_moving is { } moving)
            {
                await moving;
            }
        }
        catch (Exception)
        {
            // The caller has left: nobody is there to hear of it.
        }
        await _enumerator.DisposeAsync();
    }

    private static async Task<bool> IsMovedAsync(Task<bool> moving, TimeSpan poll, TimeProvider time)
    {
        try
        {
            await moving.WaitAsync(poll, time);
        }
        catch (TimeoutException) when (!moving.IsCompleted)
        {
            return false;
        }
        catch (Exception) when (moving.IsCompleted)
        {
            // Thrown again where the result is taken.
        }
        return true;
    }

    // What goes to another process is copied by being written.
    private T[] Copy(List<T> batch)
    {
        if (isRemote || Codecs<T>.IsImmutable)
        {
            return [.. batch];
        }
        CopyContext context = CopyContext.Rent();
        T[] copies = [.. batch.Select(item => Codecs<T>.Instance.Copy(item, context))];
        context.Return();
        return copies;
    }
}
