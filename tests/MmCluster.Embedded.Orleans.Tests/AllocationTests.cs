using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.TestingHost;

namespace MmCluster.Embedded.Orleans.Tests;

/// <summary>What a call inside a process allocates: the message, which is one object, and nothing else.</summary>
[Collection(nameof(AllocationTests))]
public sealed class AllocationTests : IAsyncLifetime
{
    private const int Calls = 2_000;
    private const int Slack = 8; // bytes a call, for what else the process does meanwhile

    private readonly InProcessTestCluster _cluster = new InProcessTestClusterBuilder(1).Build();

    public async ValueTask InitializeAsync() => await _cluster.DeployAsync();

    public async ValueTask DisposeAsync() => await _cluster.DisposeAsync();

    [Fact]
    public async Task A_call_allocates_its_message_alone()
    {
        ICheapGrain grain = _cluster.GetSiloServiceProvider().GetRequiredService<IGrainFactory>().GetGrain<ICheapGrain>(1);
        long message = Measure(static () => new OrleansGenerated.Call_MmCluster_Embedded_Orleans_Tests_ICheapGrain_0());
        // Away from the test's synchronization context, which allocates for each continuation.
        long least = await Task.Run(async () =>
        {
            long least = long.MaxValue;
            for (int round = 0; round < 20; round++)
            {
                least = Math.Min(least, await MeasureAsync(grain));
            }
            return least;
        }, TestContext.Current.CancellationToken);
        Assert.InRange(least, 0, message + Slack);
    }

    private static async Task<long> MeasureAsync(ICheapGrain grain)
    {
        long before = GC.GetTotalAllocatedBytes(precise: true);
        for (int i = 0; i < Calls; i++)
        {
            if (await grain.Echo(i) != i)
            {
                throw new InvalidOperationException("a wrong answer came back");
            }
        }
        return (GC.GetTotalAllocatedBytes(precise: true) - before) / Calls;
    }

    private static long Measure(Func<object> make)
    {
        _ = make();
        long before = GC.GetAllocatedBytesForCurrentThread();
        GC.KeepAlive(make());
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}

public interface ICheapGrain : IGrainWithIntegerKey
{
    ValueTask<int> Echo(int value);
}

public sealed class CheapGrain : Grain, ICheapGrain
{
    public ValueTask<int> Echo(int value) => new(value);
}

[CollectionDefinition(nameof(AllocationTests), DisableParallelization = true)]
public sealed class AllocationTestsDefinition;
