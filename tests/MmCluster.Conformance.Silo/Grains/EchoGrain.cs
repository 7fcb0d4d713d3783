using System.Runtime.CompilerServices;
using Orleans.Concurrency;

namespace MmCluster.Conformance.Grains;

public interface IEchoGrain : IGrainWithStringKey
{
    Task<int> Add(int left, int right);

    ValueTask<string> Echo(string text);

    Task<Note> GiveBack(Note note);

    Task<Shape> Turn(Shape shape);

    Task<Point> Mirror(Point point);

    Task<bool> IsSame(Frozen frozen);

    Task<Foreign> Twice(Foreign value);

    Task<object> Anything(object value);

    Task<string> Where();

    Task<int> Incarnation();

    Task Fail(string kind);

    Task<string?> Context(string key);

    Task<string?> ContextBehind(string key, string other);

    Task<bool> WaitForCancel(CancellationToken token);

    /// <summary>Returns when <see cref="WaitForCancel"/> runs.</summary>
    [AlwaysInterleave]
    Task Waits();

    Task<bool> WasCancelled();

    [ResponseTimeout("00:00:00.500")]
    Task Stall();

    Task Slow(int milliseconds);

    IAsyncEnumerable<int> Count(int to, CancellationToken token = default);

    IAsyncEnumerable<int> Endless(CancellationToken token = default);

    IAsyncEnumerable<int> Breaks(int after);

    Task<int> OpenEnumerations();

    Task Leave();
}

public sealed class EchoGrain(ILocalSiloDetails silo) : Grain, IEchoGrain
{
    private readonly int _incarnation = Random.Shared.Next();
    private readonly TaskCompletionSource _waits = new();
    private readonly TaskCompletionSource _cancelled = new();
    private int _open;

    public Task<int> Add(int left, int right) => Task.FromResult(left + right);

    public async ValueTask<string> Echo(string text)
    {
        await Task.Yield();
        return text;
    }

    public Task<Note> GiveBack(Note note)
    {
        note.Text += "!";
        return Task.FromResult(note);
    }

    public Task<Shape> Turn(Shape shape) => Task.FromResult(shape);

    public Task<Point> Mirror(Point point) => Task.FromResult(new Point(point.Y, point.X));

    public Task<bool> IsSame(Frozen frozen) => Task.FromResult(ReferenceEquals(frozen, Kept.Frozen));

    public Task<Foreign> Twice(Foreign value) => Task.FromResult(new Foreign(value.Value * 2));

    public Task<object> Anything(object value) => Task.FromResult(value);

    public Task<string> Where() => Task.FromResult(silo.SiloAddress.ToParsableString());

    public Task<int> Incarnation() => Task.FromResult(_incarnation);

    public async Task Fail(string kind)
    {
        await Task.Yield();
        throw kind switch
        {
            "own" => new RefusedException("refused", 42),
            "known" => new ArgumentOutOfRangeException("depth", "too deep"),
            "inner" => new InvalidOperationException("outer", new RefusedException("inner", 7)),
            _ => new Exception(kind),
        };
    }

    public Task<string?> Context(string key) => Task.FromResult(RequestContext.Get(key) as string);

    public Task<string?> ContextBehind(string key, string other) => GrainFactory.GetGrain<IEchoGrain>(other).Context(key);

    public async Task<bool> WaitForCancel(CancellationToken token)
    {
        _waits.TrySetResult();
        using CancellationTokenRegistration registration = token.Register(() => _cancelled.TrySetResult());
        await Task.Delay(Timeout.Infinite, token);
        return true;
    }

    public Task Waits() => _waits.Task;

    public async Task<bool> WasCancelled()
    {
        await _cancelled.Task;
        return true;
    }

    public Task Stall() => new TaskCompletionSource().Task;

    public Task Slow(int milliseconds) => Task.Delay(milliseconds);

    public async IAsyncEnumerable<int> Count(int to, [EnumeratorCancellation] CancellationToken token = default)
    {
        for (int i = 0; i < to; i++)
        {
            if (i % 50 == 0)
            {
                await Task.Yield();
            }
            token.ThrowIfCancellationRequested();
            yield return i;
        }
    }

    public async IAsyncEnumerable<int> Endless([EnumeratorCancellation] CancellationToken token = default)
    {
        _open++;
        try
        {
            yield return 1;
            await Task.Delay(Timeout.Infinite, token);
            yield return 2;
        }
        finally
        {
            _open--;
        }
    }

    public async IAsyncEnumerable<int> Breaks(int after)
    {
        for (int i = 0; i < after; i++)
        {
            yield return i;
        }
        await Task.Yield();
        throw new RefusedException("broke", after);
    }

    public Task<int> OpenEnumerations() => Task.FromResult(_open);

    public Task Leave()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }
}

/// <summary>An object that a test of one process looks at from both sides.</summary>
public static class Kept
{
    public static Frozen Frozen { get; } = new() { Numbers = [1] };
}
