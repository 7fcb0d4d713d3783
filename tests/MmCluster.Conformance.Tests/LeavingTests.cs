using System.Diagnostics;
using MmCluster.Conformance.Grains;

namespace MmCluster.Conformance;

/// <summary>Why and when activations end, and their timers' life. Collected after two seconds here.</summary>
public sealed class LeavingTests(InsideCluster cluster) : IClassFixture<InsideCluster>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_grain_learns_why_it_ends()
    {
        ILeavingGrain asked = cluster.Client.GetGrain<ILeavingGrain>("asked");
        ILeavingGrain idle = cluster.Client.GetGrain<ILeavingGrain>("idle");
        int first = await asked.Incarnation();
        await idle.Incarnation();
        await asked.Leave();
        Assert.NotEqual(first, await asked.Incarnation());
        Assert.StartsWith("ApplicationRequested", LeavingGrain.Reasons["asked"], StringComparison.Ordinal);
        await UntilAsync(() => LeavingGrain.Reasons.ContainsKey("idle"));
        Assert.StartsWith("ActivationIdle", LeavingGrain.Reasons["idle"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_grain_may_stay_longer()
    {
        IStayingGrain staying = cluster.Client.GetGrain<IStayingGrain>("staying");
        ILeavingGrain other = cluster.Client.GetGrain<ILeavingGrain>("beside staying");
        int incarnation = await staying.Stay(TimeSpan.FromMinutes(10));
        await other.Incarnation();
        await UntilAsync(() => LeavingGrain.Reasons.ContainsKey("beside staying")); // idle for as long
        Assert.Equal(incarnation, await staying.Incarnation());
    }

    [Fact]
    public async Task A_timer_can_be_changed_and_outlives_a_tick_that_fails() =>
        Assert.Equal(3, await cluster.Client.GetGrain<IChangingTimerGrain>("changed").Ticks(3).WaitAsync(Patience, TestContext.Current.CancellationToken));

    [Fact]
    public async Task A_change_within_a_tick_counts_from_the_ticks_end()
    {
        TimeSpan due = TimeSpan.FromMilliseconds(50);
        TimeSpan waited = await cluster.Client.GetGrain<IChangingTimerGrain>("changed within")
            .ChangeInTick(due, rest: due * 4).WaitAsync(Patience, TestContext.Current.CancellationToken);
        // Timers of the system are exact to some milliseconds.
        Assert.True(waited > due / 2, $"the tick came {waited.TotalMilliseconds} ms after the one before");
    }

    [Fact]
    public async Task A_tick_is_told_that_its_timer_is_disposed() =>
        Assert.True(await cluster.Client.GetGrain<IChangingTimerGrain>("disposed").DisposeInTick().WaitAsync(Patience, TestContext.Current.CancellationToken));

    private static async Task UntilAsync(Func<bool> condition)
    {
        Stopwatch since = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(since.Elapsed < Patience, "it did not come about");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken);
        }
    }
}
