using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using MmCluster.Conformance.Grains;
using Orleans.Configuration;
using Orleans.Runtime.Placement;
using Orleans.TestingHost;

namespace MmCluster.Conformance;

/// <summary>What ends by time: calls, starts and ends; with short limits.</summary>
public sealed class LifeTests : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(25); // less than the limits' usual 30 s

    private readonly InProcessTestCluster _cluster;

    public LifeTests()
    {
        InProcessTestClusterBuilder builder = new(1);
        builder.ConfigureSilo((_, silo) =>
        {
            silo.AddPlacementDirector<HintPlacement, HintDirector>();
            silo.Configure<SiloMessagingOptions>(options => options.ResponseTimeout = Limit);
            silo.Configure<GrainCollectionOptions>(options => options.ActivationTimeout = options.DeactivationTimeout = Limit);
        });
        builder.ConfigureClient(client => client.Configure<ClientMessagingOptions>(options => options.ResponseTimeout = Limit * 4));
        _cluster = builder.Build();
    }

    public async ValueTask InitializeAsync() => await _cluster.DeployAsync();

    public async ValueTask DisposeAsync() => await _cluster.DisposeAsync();

    [Fact]
    public async Task The_options_bound_calls_that_bound_nothing()
    {
        Stopwatch since = Stopwatch.StartNew();
        await Assert.ThrowsAsync<TimeoutException>(() => _cluster.Client.GetGrain<IEchoGrain>("slow").Slow(8_000));
        Assert.True(since.Elapsed < TimeSpan.FromSeconds(7), $"it took {since.Elapsed}");
    }

    [Fact]
    public async Task A_start_that_does_not_end_fails_its_callers_and_is_tried_again()
    {
        ISlowStartGrain grain = _cluster.Client.GetGrain<ISlowStartGrain>("slow");
        for (int i = 1; i <= 2; i++)
        {
            await Assert.ThrowsAnyAsync<Exception>(() => grain.Call()).WaitAsync(Patience, TestContext.Current.CancellationToken);
            Assert.True(SlowStartGrain.Starts >= i);
        }
    }

    [Fact]
    public async Task An_end_that_does_not_end_is_not_waited_for()
    {
        ISlowEndGrain grain = _cluster.Client.GetGrain<ISlowEndGrain>("slow");
        int first = await grain.Incarnation();
        await grain.Leave();
        Assert.NotEqual(first, await grain.Incarnation());
    }

    [Fact]
    public async Task A_slow_enumeration_does_not_expire_while_it_is_asked()
    {
        IEchoGrain grain = _cluster.Client.GetGrain<IEchoGrain>("asked");
        await using IAsyncEnumerator<int> items = grain.Endless().GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await items.MoveNextAsync());
        Task<bool> next = items.MoveNextAsync().AsTask();
        // Longer than the response timeout and what expires.
        await Assert.ThrowsAsync<TimeoutException>(() => next.WaitAsync(Limit * 5, TestContext.Current.CancellationToken));
        Assert.Equal(1, await grain.OpenEnumerations());
        await grain.Leave();
        await Assert.ThrowsAnyAsync<Exception>(() => next.WaitAsync(Patience, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Ticks_wait_for_the_call_unless_they_interleave()
    {
        Assert.Equal(0, await _cluster.Client.GetGrain<ITimedGrain>("alone").TicksInside(interleave: false));
        Assert.Equal(1, await _cluster.Client.GetGrain<ITimedGrain>("beside").TicksInside(interleave: true));
        ITimedGrain grain = _cluster.Client.GetGrain<ITimedGrain>("alone");
        Stopwatch since = Stopwatch.StartNew();
        while (await grain.Ticks() == 0)
        {
            Assert.True(since.Elapsed < Patience, "it never ticked");
            await Task.Delay(TimeSpan.FromMilliseconds(5), TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task A_grains_own_list_is_not_the_callers()
    {
        InProcessSiloHandle silo = _cluster.Silos[0];
        IGrainFactory grains = silo.ServiceProvider.GetRequiredService<IGrainFactory>();
        RequestContext.Set(IPlacementDirector.PlacementHintKey, AddressOf(silo));
        IRacerGrain grain = grains.GetGrain<IRacerGrain>("mine");
        List<int> mine = await grain.Mine();
        RequestContext.Clear();
        mine.Clear();
        Assert.Equal([1, 2, 3], await grain.Mine());
    }

    private static SiloAddress AddressOf(InProcessSiloHandle silo) => silo.ServiceProvider.GetRequiredService<ILocalSiloDetails>().SiloAddress;
}
