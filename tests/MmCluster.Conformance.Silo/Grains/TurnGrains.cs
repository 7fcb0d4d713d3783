using Orleans.Concurrency;

namespace MmCluster.Conformance.Grains;

public interface ITurnGrain : IGrainWithStringKey
{
    /// <summary>Waits until <see cref="Open"/>; returns how many calls were inside at most.</summary>
    Task<int> Enter();

    [AlwaysInterleave]
    Task<int> Inside();

    [AlwaysInterleave]
    Task Open();

    [ReadOnly]
    Task<int> Read();

    Task<bool> StaysInTurn();

    [OneWay]
    Task Note(string text);

    Task<string[]> Notes();
}

public class TurnGrain : Grain, ITurnGrain
{
    private readonly List<string> _notes = [];
    private TaskCompletionSource _gate = new();
    private int _inside;
    private int _most;

    public Task<int> Enter() => CountAsync();

    public Task<int> Inside() => Task.FromResult(_inside);

    public Task Open()
    {
        _gate.TrySetResult();
        _gate = new TaskCompletionSource();
        return Task.CompletedTask;
    }

    public Task<int> Read() => CountAsync();

    public async Task<bool> StaysInTurn()
    {
        TaskScheduler own = TaskScheduler.Current;
        await Task.Yield();
        bool afterYield = own == TaskScheduler.Current;
        bool inStarted = await Task.Factory.StartNew(() => own == TaskScheduler.Current, CancellationToken.None, TaskCreationOptions.None, TaskScheduler.Current);
        bool outside = await Task.Run(() => own != TaskScheduler.Current);
        return own != TaskScheduler.Default && afterYield && inStarted && outside && own == TaskScheduler.Current;
    }

    public Task Note(string text)
    {
        _notes.Add(text);
        return Task.CompletedTask;
    }

    public Task<string[]> Notes() => Task.FromResult(_notes.ToArray());

    private async Task<int> CountAsync()
    {
        _most = Math.Max(_most, ++_inside);
        await _gate.Task;
        _inside--;
        return _most;
    }
}

public interface IReentrantGrain : ITurnGrain
{
}

[Reentrant]
public sealed class ReentrantGrain : TurnGrain, IReentrantGrain
{
}

public interface IWorkerGrain : IGrainWithStringKey
{
    Task<int> Enter();
}

[StatelessWorker(2)]
public sealed class WorkerGrain : Grain, IWorkerGrain
{
    private static readonly SemaphoreSlim Both = new(0);
    private static int _inside;

    // Returns when two activations are inside at the same time.
    public async Task<int> Enter()
    {
        if (Interlocked.Increment(ref _inside) == 2)
        {
            Both.Release(2);
        }
        await Both.WaitAsync();
        return Interlocked.Decrement(ref _inside);
    }
}

public interface ICountedGrain : IGrainWithIntegerKey
{
    Task Touch();
}

public sealed class CountedGrain : Grain, ICountedGrain
{
    private static int _active;

    public static int Active => Volatile.Read(ref _active);

    public Task Touch() => Task.CompletedTask;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _active);
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        Interlocked.Decrement(ref _active);
        return Task.CompletedTask;
    }
}

public interface IKeptGrain : IGrainWithIntegerKey
{
    Task<int> Incarnation();
}

[KeepAlive]
public sealed class KeptGrain : Grain, IKeptGrain
{
    private readonly int _incarnation = Random.Shared.Next();

    public Task<int> Incarnation() => Task.FromResult(_incarnation);
}

public interface ITickingGrain : IGrainWithStringKey
{
    Task Start(int milliseconds);

    Task<int> WaitFor(int ticks);
}

[Reentrant]
public sealed class TickingGrain : Grain, ITickingGrain
{
    private readonly SemaphoreSlim _ticked = new(0);
    private IGrainTimer? _timer;

    public Task Start(int milliseconds)
    {
        _timer = this.RegisterGrainTimer(() =>
        {
            _ticked.Release();
            return Task.CompletedTask;
        }, TimeSpan.FromMilliseconds(milliseconds), TimeSpan.FromMilliseconds(milliseconds));
        return Task.CompletedTask;
    }

    public async Task<int> WaitFor(int ticks)
    {
        for (int i = 0; i < ticks; i++)
        {
            await _ticked.WaitAsync();
        }
        _timer!.Dispose();
        return ticks;
    }
}

public interface IBrokenGrain : IGrainWithStringKey
{
    Task Call();
}

public sealed class BrokenGrain : Grain, IBrokenGrain
{
    public Task Call() => Task.CompletedTask;

    public override Task OnActivateAsync(CancellationToken cancellationToken) => throw new RefusedException("no reservation", 3);
}
