namespace MmCluster.Conformance.Grains;

/// <summary>Calls other grains from the silo that the hint names.</summary>
public interface IRacerGrain : IPlacedGrain
{
    /// <summary>The incarnations that racing calls from this silo meet.</summary>
    Task<int[]> Race(string key, int calls);

    /// <summary>The error of another grain as this one catches it: its type, and the code of ours.</summary>
    Task<string> Catch(string key, string kind);

    /// <summary>Calls another grain, cancels, and returns once the other has noticed.</summary>
    Task<bool> Cancel(string key);

    /// <summary>Sums the first items of another grain's numbers and breaks off.</summary>
    Task<int> Sum(string key, int first);

    /// <summary>Sets a value for its own calls, and returns what a grain behind it sees.</summary>
    Task<string?> SetContext(string key, string value, string other);

    /// <summary>The grain's own list.</summary>
    Task<List<int>> Mine();
}

[HintPlacement]
public sealed class RacerGrain(ILocalSiloDetails silo) : PlacedGrain(silo), IRacerGrain
{
    private readonly List<int> _mine = [1, 2, 3];

    public Task<int[]> Race(string key, int calls) =>
        Task.WhenAll(Enumerable.Range(0, calls).Select(_ => GrainFactory.GetGrain<IEchoGrain>(key).Incarnation()));

    public async Task<string> Catch(string key, string kind)
    {
        try
        {
            await GrainFactory.GetGrain<IEchoGrain>(key).Fail(kind);
            return "nothing";
        }
        catch (RefusedException error)
        {
            return $"{nameof(RefusedException)} {error.Code}";
        }
        catch (Exception error)
        {
            return error.GetType().Name;
        }
    }

    public async Task<bool> Cancel(string key)
    {
        IEchoGrain other = GrainFactory.GetGrain<IEchoGrain>(key);
        using CancellationTokenSource source = new();
        Task<bool> waiting = other.WaitForCancel(source.Token);
        await other.Waits();
        await source.CancelAsync();
        try
        {
            return !await waiting;
        }
        catch (OperationCanceledException)
        {
            return await other.WasCancelled();
        }
    }

    public async Task<int> Sum(string key, int first)
    {
        int sum = 0;
        await foreach (int item in GrainFactory.GetGrain<IEchoGrain>(key).Count(1000))
        {
            if (item == first)
            {
                break;
            }
            sum += item;
        }
        return sum;
    }

    public Task<string?> SetContext(string key, string value, string other)
    {
        RequestContext.Set(key, value);
        return GrainFactory.GetGrain<IEchoGrain>(other).Context(key);
    }

    public Task<List<int>> Mine() => Task.FromResult(_mine);
}
