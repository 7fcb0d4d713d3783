using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MmCluster.Conformance.Grains;
using Orleans.Runtime.Placement;

namespace MmCluster.Conformance;

/// <summary>Where activations go, and that there is one.</summary>
[Collection(nameof(ProcessCluster))]
public sealed class PlacementTests(ProcessCluster cluster)
{
    [Fact]
    public async Task Racing_calls_from_everywhere_meet_one_activation()
    {
        using IHost second = await cluster.ConnectAsync();
        IClusterClient[] clients = [cluster.Client, second.Services.GetRequiredService<IClusterClient>()];
        for (int round = 0; round < 30; round++)
        {
            string key = $"race{round}";
            int[] incarnations = await Task.WhenAll(Enumerable.Range(0, 24).Select(i => clients[i % 2].GetGrain<IEchoGrain>(key).Incarnation()));
            Assert.Single(incarnations.Distinct());
        }
        await second.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Hints_are_obeyed_and_grains_stay()
    {
        foreach (SiloProcess silo in cluster.Silos)
        {
            IHintedGrain grain = cluster.Client.GetGrain<IHintedGrain>($"hint-{silo.Address}");
            Assert.Equal(silo.Address.ToParsableString(), await HintedAsync(silo.Address, grain.Where));
            Assert.Equal(silo.Address.ToParsableString(), await grain.Where());
        }
    }

    [Fact]
    public async Task A_directors_error_reaches_the_caller()
    {
        RefusedException error = await Assert.ThrowsAsync<RefusedException>(() => cluster.Client.GetGrain<IHintedGrain>("stray").Where());
        Assert.Equal(9, error.Code);
    }

    [Fact]
    public async Task A_required_metadata_match_keeps_to_silos_of_the_same_role()
    {
        SiloProcess last = cluster.Silos[2]; // the only one of its role
        IAskGrain grain = cluster.Client.GetGrain<IAskGrain>("roles");
        Assert.Equal(last.Address.ToParsableString(), await HintedAsync(last.Address, grain.Where));
        Assert.All(await grain.AskRoles(12), where => Assert.Equal(last.Address.ToParsableString(), where));
    }

    [Fact]
    public async Task Local_placement_prefers_the_silo_that_asks()
    {
        SiloProcess silo = cluster.Silos[1];
        IAskGrain grain = cluster.Client.GetGrain<IAskGrain>("locals");
        await HintedAsync(silo.Address, grain.Where);
        Assert.All(await grain.AskLocals(12), where => Assert.Equal(silo.Address.ToParsableString(), where));
    }

    [Fact]
    public async Task Random_placement_uses_all_silos()
    {
        string[] places = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => cluster.Client.GetGrain<IRandomGrain>($"r{i}").Where()));
        Assert.Equal(3, places.Distinct().Count());
    }

    private static async Task<string> HintedAsync(SiloAddress silo, Func<Task<string>> call)
    {
        RequestContext.Set(IPlacementDirector.PlacementHintKey, silo);
        try
        {
            return await call();
        }
        finally
        {
            RequestContext.Clear();
        }
    }
}
