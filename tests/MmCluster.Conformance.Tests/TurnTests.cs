using MmCluster.Conformance.Grains;

namespace MmCluster.Conformance;

/// <summary>Turns, interleaving, timers and the life of activations.</summary>
public sealed class TurnTests(InsideCluster cluster) : IClassFixture<InsideCluster>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Calls_of_a_grain_run_one_at_a_time()
    {
        ITurnGrain grain = cluster.Grains.GetGrain<ITurnGrain>("one");
        Task<int>[] calls = [.. Enumerable.Range(0, 3).Select(_ => grain.Enter())];
        Assert.All(await OpenUntilDoneAsync(grain, calls), most => Assert.Equal(1, most));
    }

    [Fact]
    public async Task Calls_of_a_reentrant_grain_interleave()
    {
        IReentrantGrain grain = cluster.Grains.GetGrain<IReentrantGrain>("many");
        Task<int>[] calls = [.. Enumerable.Range(0, 3).Select(_ => grain.Enter())];
        await UntilAsync(async () => await grain.Inside() == 3);
        await grain.Open();
        Assert.All(await Task.WhenAll(calls), most => Assert.Equal(3, most));
    }

    [Fact]
    public async Task Read_only_calls_interleave_with_each_other_alone()
    {
        ITurnGrain grain = cluster.Grains.GetGrain<ITurnGrain>("readers");
        Task<int>[] readers = [.. Enumerable.Range(0, 3).Select(_ => grain.Read())];
        await UntilAsync(async () => await grain.Inside() == 3);
        Task<int> writer = grain.Enter();
        Assert.Equal(3, await grain.Inside());
        await grain.Open();
        await Task.WhenAll(readers);
        await UntilAsync(async () => await grain.Inside() == 1);
        await grain.Open();
        Assert.Equal(3, await writer);
    }

    [Fact]
    public async Task Awaits_and_started_tasks_stay_in_the_grains_scheduler() =>
        Assert.True(await cluster.Grains.GetGrain<ITurnGrain>("scheduler").StaysInTurn());

    [Fact]
    public async Task One_way_calls_arrive()
    {
        ITurnGrain grain = cluster.Client.GetGrain<ITurnGrain>("notes");
        await grain.Note("a");
        await UntilAsync(async () => (await grain.Notes()).Length == 1);
    }

    [Fact]
    public async Task A_stateless_worker_has_several_activations() =>
        await Task.WhenAll(cluster.Grains.GetGrain<IWorkerGrain>("w").Enter(), cluster.Grains.GetGrain<IWorkerGrain>("w").Enter())
            .WaitAsync(Patience, TestContext.Current.CancellationToken);

    [Fact]
    public async Task A_timer_ticks_until_it_is_disposed()
    {
        ITickingGrain grain = cluster.Grains.GetGrain<ITickingGrain>("tick");
        await grain.Start(5);
        Assert.Equal(3, await grain.WaitFor(3).WaitAsync(Patience, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Ten_thousand_grains_are_activated_and_collected()
    {
        IKeptGrain kept = cluster.Grains.GetGrain<IKeptGrain>(1);
        int incarnation = await kept.Incarnation();
        await Task.WhenAll(Enumerable.Range(0, 10_000).Select(i => cluster.Grains.GetGrain<ICountedGrain>(i).Touch()));
        await UntilAsync(() => Task.FromResult(CountedGrain.Active == 0));
        Assert.Equal(incarnation, await kept.Incarnation());
    }

    [Fact]
    public async Task A_grain_that_leaves_comes_back_anew()
    {
        IEchoGrain grain = cluster.Client.GetGrain<IEchoGrain>("anew");
        int first = await grain.Incarnation();
        await grain.Leave();
        Assert.NotEqual(first, await grain.Incarnation());
    }

    private static async Task<int[]> OpenUntilDoneAsync(ITurnGrain grain, Task<int>[] calls)
    {
        foreach (Task<int> call in calls)
        {
            await UntilAsync(async () => await grain.Inside() == 1);
            await grain.Open();
        }
        return await Task.WhenAll(calls);
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using CancellationTokenSource late = new(Patience);
        while (!await condition())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), late.Token);
        }
    }
}
