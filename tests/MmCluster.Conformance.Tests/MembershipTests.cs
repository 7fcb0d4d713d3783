using Microsoft.Extensions.DependencyInjection;
using MmCluster.Conformance.Grains;
using Orleans.Configuration;
using Orleans.TestingHost;

namespace MmCluster.Conformance;

/// <summary>Membership as silos see it, and what expires in them.</summary>
public sealed class MembershipTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task All_see_who_joins_leaves_and_dies()
    {
        await using InProcessTestCluster cluster = new InProcessTestClusterBuilder(3).ConfigureSilo((_, silo) => silo
            .AddPlacementDirector<HintPlacement, HintDirector>()
            .Configure<ClusterMembershipOptions>(options =>
            {
                options.ProbeTimeout = TimeSpan.FromSeconds(1);
                options.NumVotesForDeathDeclaration = 1;
            })).Build();
        await cluster.DeployAsync();
        IClusterMembershipService seen = cluster.GetSiloServiceProvider().GetRequiredService<IClusterMembershipService>();
        SiloAddress[] addresses = [.. cluster.Silos.Select(silo => silo.ServiceProvider.GetRequiredService<ILocalSiloDetails>().SiloAddress)];
        Assert.All(addresses, address => Assert.Equal(SiloStatus.Active, seen.CurrentSnapshot.GetSiloStatus(address)));
        await cluster.KillSiloAsync(cluster.Silos[2]);
        await UntilAsync(seen, snapshot => snapshot.GetSiloStatus(addresses[2]) == SiloStatus.Dead);
        await cluster.StopSiloAsync(cluster.Silos[1]);
        await UntilAsync(seen, snapshot => snapshot.GetSiloStatus(addresses[1]) == SiloStatus.Dead);
        InProcessSiloHandle added = await cluster.StartAdditionalSiloAsync();
        SiloAddress address = added.ServiceProvider.GetRequiredService<ILocalSiloDetails>().SiloAddress;
        await UntilAsync(seen, snapshot => snapshot.GetSiloStatus(address) == SiloStatus.Active);
        Assert.Equal(3, await cluster.Client.GetGrain<IEchoGrain>("alive").Add(1, 2));
    }

    [Fact]
    public async Task An_enumeration_that_nobody_asks_expires()
    {
        await using InProcessTestCluster cluster = new InProcessTestClusterBuilder(1).ConfigureSilo((_, silo) => silo
            .AddPlacementDirector<HintPlacement, HintDirector>()
            .Configure<SiloMessagingOptions>(options => options.ResponseTimeout = TimeSpan.FromSeconds(2))).Build();
        await cluster.DeployAsync();
        IEchoGrain grain = cluster.Client.GetGrain<IEchoGrain>("expires");
        await using IAsyncEnumerator<int> items = grain.Endless().WithBatchSize(1).GetAsyncEnumerator();
        Assert.True(await items.MoveNextAsync());
        using CancellationTokenSource late = new(Patience);
        while (await grain.OpenEnumerations() > 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), late.Token);
        }
        await Assert.ThrowsAsync<EnumerationAbortedException>(async () => await items.MoveNextAsync());
    }

    private static async Task UntilAsync(IClusterMembershipService membership, Func<ClusterMembershipSnapshot, bool> condition)
    {
        using CancellationTokenSource late = new(Patience);
        await foreach (ClusterMembershipSnapshot snapshot in membership.MembershipUpdates.WithCancellation(late.Token))
        {
            if (condition(snapshot))
            {
                return;
            }
        }
    }
}
