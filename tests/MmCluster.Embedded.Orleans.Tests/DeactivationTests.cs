using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.Concurrency;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Runtime;
using Orleans.TestingHost;

namespace MmCluster.Embedded.Orleans.Tests;

/// <summary>A grain leaves in its time, whatever its calls do.</summary>
public sealed class DeactivationTests : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly VirtualTime _time = new();
    private readonly InProcessTestCluster _cluster;

    public DeactivationTests()
    {
        InProcessTestClusterBuilder builder = new(1);
        builder.Options.InitializeClientOnDeploy = false;
        builder.ConfigureSilo((_, silo) =>
        {
            silo.Services.AddSingleton<TimeProvider>(_time);
            silo.Configure<GrainCollectionOptions>(options => options.DeactivationTimeout = Limit);
        });
        _cluster = builder.Build();
    }

    private IStuckGrain Grain(string key) => _cluster.GetSiloServiceProvider().GetRequiredService<IGrainFactory>().GetGrain<IStuckGrain>(key);

    public async ValueTask InitializeAsync() => await _cluster.DeployAsync();

    public async ValueTask DisposeAsync() => await _cluster.DisposeAsync();

    [Fact]
    public async Task A_call_that_never_ends_does_not_keep_its_grain()
    {
        IStuckGrain grain = Grain("never");
        int first = await grain.Incarnation();
        Task stuck = grain.Stick();
        await grain.Leave();
        Task<int> next = grain.Incarnation();
        _time.Advance(Limit - TimeSpan.FromMilliseconds(1));
        Assert.False(next.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.NotEqual(first, await next.WaitAsync(Patience, TestContext.Current.CancellationToken));
        Assert.False(stuck.IsCompleted);
        StuckGrains.Gate(first).SetResult();
        await stuck.WaitAsync(Patience, TestContext.Current.CancellationToken); // a late answer is still an answer
    }

    [Fact]
    public async Task A_grain_waits_for_its_calls_while_there_is_time()
    {
        IStuckGrain grain = Grain("waits");
        int first = await grain.Incarnation();
        Task stuck = grain.Stick();
        await grain.Leave();
        Task<int> next = grain.Incarnation();
        StuckGrains.Gate(first).SetResult();
        await stuck.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.NotEqual(first, await next.WaitAsync(Patience, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task What_the_last_silo_asks_while_it_leaves_fails_at_once()
    {
        IStuckGrain grain = Grain("last");
        Task<Exception?> asked = StuckGrains.LastWords(await grain.Incarnation()).Task;
        // Time stands still: to wait for another silo would be to wait for ever.
        await _cluster.StopSiloAsync(_cluster.Silos[0]).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.IsType<SiloUnavailableException>(await asked);
    }

    [Fact]
    public async Task A_method_that_returns_no_task_is_an_error() =>
        await Assert.ThrowsAsync<InvalidOperationException>(() => Grain("null").Null().WaitAsync(Patience, TestContext.Current.CancellationToken));
}

/// <summary>A grain whose call ends when the test says so.</summary>
public interface IStuckGrain : IGrainWithStringKey
{
    Task Stick();

    Task<int> Incarnation();

    Task Null();

    [AlwaysInterleave]
    Task Leave();
}

public sealed class StuckGrain : Grain, IStuckGrain
{
    private readonly int _incarnation = Random.Shared.Next();

    public Task Stick() => StuckGrains.Gate(_incarnation).Task;

    public Task<int> Incarnation() => Task.FromResult(_incarnation);

    public Task Null() => null!;

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        if (StuckGrains.LastWordsOf(_incarnation) is { } words)
        {
            words.SetResult(await Record.ExceptionAsync(() => GrainFactory.GetGrain<IStuckGrain>("nowhere").Incarnation()));
        }
    }

    public Task Leave()
    {
        DeactivateOnIdle();
        return Task.CompletedTask;
    }
}

internal static class StuckGrains
{
    private static readonly System.Collections.Concurrent.ConcurrentDictionary<int, TaskCompletionSource> Gates = new();

    private static readonly System.Collections.Concurrent.ConcurrentDictionary<int, TaskCompletionSource<Exception?>> Words = new();

    /// <summary>Has the grain call another one when it leaves; what comes of it.</summary>
    public static TaskCompletionSource<Exception?> LastWords(int incarnation) => Words.GetOrAdd(incarnation, static _ => new TaskCompletionSource<Exception?>());

    public static TaskCompletionSource<Exception?>? LastWordsOf(int incarnation) => Words.GetValueOrDefault(incarnation);

    public static TaskCompletionSource Gate(int incarnation) => Gates.GetOrAdd(incarnation, static _ => new TaskCompletionSource());
}
