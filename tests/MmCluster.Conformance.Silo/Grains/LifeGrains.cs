namespace MmCluster.Conformance.Grains;

public interface ISlowStartGrain : IGrainWithStringKey
{
    Task Call();
}

/// <summary>Is never ready; the token is all that ends its start.</summary>
public sealed class SlowStartGrain : Grain, ISlowStartGrain
{
    private static int _starts;

    public static int Starts => Volatile.Read(ref _starts);

    public Task Call() => Task.CompletedTask;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _starts);
        return Task.Delay(Timeout.Infinite, cancellationToken);
    }
}

public interface ISlowEndGrain : IGrainWithStringKey
{
    Task<int> Incarnation();

    Task Leave();
}

/// <summary>Never finishes its end.</summary>
public sealed class SlowEndGrain : Grain, ISlowEndGrain
{
    private readonly int _incarnation = Random.Shared.Next();

    public Task<int> Incarnation() => Task.FromResult(_incarnation);

    public Task Leave()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) => Task.Delay(Timeout.Infinite, cancellationToken);
}

public interface ITimedGrain : IGrainWithStringKey
{
    /// <summary>How often a timer that is due at once ticks while this call waits.</summary>
    Task<int> TicksInside(bool interleave);

    Task<int> Ticks();
}

public sealed class TimedGrain : Grain, ITimedGrain
{
    private int _ticks;

    public async Task<int> TicksInside(bool interleave)
    {
        TaskCompletionSource ticked = new();
        this.RegisterGrainTimer(
            () =>
            {
                _ticks++;
                ticked.TrySetResult();
                return Task.CompletedTask;
            },
            new GrainTimerCreationOptions { DueTime = TimeSpan.Zero, Period = Timeout.InfiniteTimeSpan, Interleave = interleave });
        // Where it interleaves it ticks at once; where not, it must not in any time.
        await Task.WhenAny(ticked.Task, Task.Delay(TimeSpan.FromMilliseconds(interleave ? 20_000 : 200)));
        return _ticks;
    }

    public Task<int> Ticks() => Task.FromResult(_ticks);
}
