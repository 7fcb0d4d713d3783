using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Orleans.Runtime.MembershipService.SiloMetadata;

namespace MmCluster.Conformance.Grains;

public interface IFlowGrain : IGrainWithStringKey
{
    /// <summary>Values of the request context, one for each key.</summary>
    IAsyncEnumerable<string?> Contexts(string[] keys);

    /// <summary>Has the observer say what it finds in the request context.</summary>
    Task<string?> ContextOf(IContextListener listener, string key);

    /// <summary>How many numbers were made.</summary>
    Task<int> Made();

    IAsyncEnumerable<int> Numbers(CancellationToken token = default);

    /// <summary>The role in the metadata of a silo.</summary>
    Task<string?> RoleOf(SiloAddress silo);

    Task<int?> Nothing(int? value, string? text, Note? note);

    Task<List<Shape>> Shapes(List<Shape> shapes);

    Task<Box<DayOfWeek>> Boxed(Box<DayOfWeek> box);

    Task Refuse();

    Task Cancelled();
}

[GenerateSerializer, Alias("conformance.Box`1")]
public sealed record Box<T>([property: Id(0)] T Value, [property: Id(1)] T[] Others);

public interface IContextListener : IGrainObserver
{
    Task<string?> Context(string key);
}

public sealed class FlowGrain(ISiloMetadataCache metadata) : Grain, IFlowGrain
{
    private int _made;

    public async IAsyncEnumerable<string?> Contexts(string[] keys)
    {
        foreach (string key in keys)
        {
            await Task.Yield();
            yield return RequestContext.Get(key) as string;
        }
    }

    public Task<string?> ContextOf(IContextListener listener, string key) => listener.Context(key);

    public Task<int> Made() => Task.FromResult(_made);

    public async IAsyncEnumerable<int> Numbers([EnumeratorCancellation] CancellationToken token = default)
    {
        while (!token.IsCancellationRequested)
        {
            await Task.Yield();
            yield return _made++;
        }
    }

    public Task<string?> RoleOf(SiloAddress silo) => Task.FromResult(metadata.GetSiloMetadata(silo).Metadata.GetValueOrDefault("mm.role"));

    public Task<int?> Nothing(int? value, string? text, Note? note) => Task.FromResult(text is null && note is null ? value : 1);

    public Task<List<Shape>> Shapes(List<Shape> shapes) => Task.FromResult(shapes);

    public Task<Box<DayOfWeek>> Boxed(Box<DayOfWeek> box) => Task.FromResult(box);

    public Task Refuse() => throw new RefusedException("before any await", 5);

    public Task Cancelled() => throw new OperationCanceledException("of its own accord");
}

public interface ILeavingGrain : IGrainWithStringKey
{
    Task<int> Incarnation();

    Task Leave();
}

/// <summary>Notes why its activations end.</summary>
public sealed class LeavingGrain : Grain, ILeavingGrain
{
    private readonly int _incarnation = Random.Shared.Next();

    public static ConcurrentDictionary<string, string> Reasons { get; } = new();

    public Task<int> Incarnation() => Task.FromResult(_incarnation);

    public Task Leave()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        Reasons[this.GetPrimaryKeyString()] = reason.ToString();
        return Task.CompletedTask;
    }
}

public interface IStayingGrain : IGrainWithStringKey
{
    Task<int> Stay(TimeSpan time);

    Task<int> Incarnation();
}

public sealed class StayingGrain : Grain, IStayingGrain
{
    private readonly int _incarnation = Random.Shared.Next();

    public Task<int> Stay(TimeSpan time)
    {
        DelayDeactivation(time);
        return Incarnation();
    }

    public Task<int> Incarnation() => Task.FromResult(_incarnation);
}

public interface IChangingTimerGrain : IGrainWithStringKey
{
    /// <summary>Starts a timer that is never due, changes it, and waits for ticks, the first of which fails.</summary>
    Task<int> Ticks(int count);

    /// <summary>Changes the timer within a tick that lasts longer than the new due time, and waits for the tick that this asks for.</summary>
    Task<TimeSpan> ChangeInTick(TimeSpan dueTime, TimeSpan rest);

    /// <summary>Whether a tick that runs while its timer is disposed is told so.</summary>
    Task<bool> DisposeInTick();
}

[Orleans.Concurrency.Reentrant]
public sealed class ChangingTimerGrain : Grain, IChangingTimerGrain
{
    public async Task<int> Ticks(int count)
    {
        int ticks = 0;
        TaskCompletionSource done = new();
        using IGrainTimer timer = this.RegisterGrainTimer(
            () =>
            {
                if (++ticks == count)
                {
                    done.TrySetResult();
                }
                return ticks == 1 ? throw new InvalidOperationException("a tick that fails does not end the timer") : Task.CompletedTask;
            },
            TimeSpan.FromHours(1), TimeSpan.FromHours(1));
        timer.Change(TimeSpan.Zero, TimeSpan.FromMilliseconds(5));
        await done.Task;
        return ticks;
    }

    public async Task<TimeSpan> ChangeInTick(TimeSpan dueTime, TimeSpan rest)
    {
        long ended = 0;
        TaskCompletionSource<TimeSpan> second = new();
        IGrainTimer timer = null!;
        timer = this.RegisterGrainTimer(
            async token =>
            {
                if (ended != 0)
                {
                    second.TrySetResult(TimeProvider.System.GetElapsedTime(ended));
                    return;
                }
                timer.Change(dueTime, Timeout.InfiniteTimeSpan);
                await Task.Delay(rest, token);
                ended = TimeProvider.System.GetTimestamp();
            },
            new GrainTimerCreationOptions { DueTime = TimeSpan.FromMilliseconds(1), Period = TimeSpan.FromHours(1), Interleave = true });
        TimeSpan waited = await second.Task;
        timer.Dispose();
        return waited;
    }

    public async Task<bool> DisposeInTick()
    {
        TaskCompletionSource ticking = new();
        TaskCompletionSource<bool> told = new();
        IGrainTimer timer = this.RegisterGrainTimer(
            async token =>
            {
                ticking.TrySetResult();
                try
                {
                    await Task.Delay(TimeSpan.FromSeconds(20), token);
                    told.TrySetResult(false);
                }
                catch (OperationCanceledException)
                {
                    told.TrySetResult(true);
                }
            },
            new GrainTimerCreationOptions { DueTime = TimeSpan.Zero, Period = Timeout.InfiniteTimeSpan, Interleave = true });
        await ticking.Task;
        timer.Dispose();
        return await told.Task;
    }
}
