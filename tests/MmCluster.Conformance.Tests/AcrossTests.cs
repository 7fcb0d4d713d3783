using MmCluster.Conformance.Grains;
using Orleans.Runtime.Placement;

namespace MmCluster.Conformance;

/// <summary>Calls that grains of one process make to grains of others.</summary>
[Collection(nameof(ProcessCluster))]
public sealed class AcrossTests(ProcessCluster cluster)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Racing_calls_from_three_processes_meet_one_activation()
    {
        IRacerGrain[] racers = await RacersAsync("race");
        for (int round = 0; round < 30; round++)
        {
            int[][] met = await Task.WhenAll(racers.Select(racer => racer.Race($"raced{round}", 8)));
            Assert.Single(met.SelectMany(incarnations => incarnations).Distinct());
        }
    }

    [Fact]
    public async Task Errors_keep_their_type_between_grains()
    {
        IRacerGrain racer = (await RacersAsync("catch"))[0];
        for (int i = 0; i < 6; i++)
        {
            Assert.Equal("RefusedException 42", await racer.Catch($"failing{i}", "own"));
            Assert.Equal(nameof(ArgumentOutOfRangeException), await racer.Catch($"failing{i}", "known"));
        }
    }

    [Fact]
    public async Task A_grains_cancellation_reaches_grains_of_other_processes()
    {
        IRacerGrain racer = (await RacersAsync("cancel"))[1];
        for (int i = 0; i < 6; i++)
        {
            Assert.True(await racer.Cancel($"cancelled{i}").WaitAsync(Patience, TestContext.Current.CancellationToken));
        }
    }

    [Fact]
    public async Task Grains_enumerate_grains_of_other_processes()
    {
        IRacerGrain racer = (await RacersAsync("sum"))[2];
        Assert.All(await Task.WhenAll(Enumerable.Range(0, 6).Select(i => racer.Sum($"summed{i}", 250))), sum => Assert.Equal(250 * 249 / 2, sum));
    }

    [Fact]
    public async Task What_a_grain_sets_flows_on_and_not_back()
    {
        IRacerGrain racer = (await RacersAsync("context"))[0];
        RequestContext.Set("trace", "mine");
        try
        {
            Assert.Equal("its", await racer.SetContext("trace", "its", "far"));
            Assert.Equal("mine", RequestContext.Get("trace"));
        }
        finally
        {
            RequestContext.Clear();
        }
    }

    [Fact]
    public async Task A_filter_of_our_own_leaves_silos_out()
    {
        string cpu = cluster.Silos[2].Address.ToParsableString(); // the only one of that role
        Assert.All(await Task.WhenAll(Enumerable.Range(0, 12).Select(i => cluster.Client.GetGrain<IFilteredGrain>($"f{i}").Where())), where => Assert.Equal(cpu, where));
    }

    [Fact]
    public async Task A_filters_settings_reach_its_director_through_the_grain_types_properties_alone()
    {
        string cpu = cluster.Silos[2].Address.ToParsableString();
        Assert.All(await Task.WhenAll(Enumerable.Range(0, 12).Select(i => cluster.Client.GetGrain<ISetFilterGrain>($"s{i}").Where())), where => Assert.Equal(cpu, where));
        Assert.All(await Task.WhenAll(Enumerable.Range(0, 12).Select(i => cluster.Client.GetGrain<ILostFilterGrain>($"l{i}").Where())), where => Assert.NotEqual(cpu, where));
    }

    [Fact]
    public async Task Filters_that_leave_no_silo_fail_the_call() =>
        await Assert.ThrowsAnyAsync<OrleansException>(() => cluster.Client.GetGrain<IImpossibleGrain>("nowhere").Where());

    [Fact]
    public async Task A_preferred_metadata_match_is_used_where_there_is_one()
    {
        string cpu = cluster.Silos[2].Address.ToParsableString();
        IAskGrain grain = cluster.Client.GetGrain<IAskGrain>("preferring");
        await HintedAsync(cluster.Silos[2].Address, () => grain.Where());
        Assert.All(await grain.AskPreferring(12), where => Assert.Equal(cpu, where));
    }

    private Task<IRacerGrain[]> RacersAsync(string name) => Task.WhenAll(cluster.Silos.Select(async silo =>
    {
        IRacerGrain racer = cluster.Client.GetGrain<IRacerGrain>($"{name}@{silo.Address}");
        Assert.Equal(silo.Address.ToParsableString(), await HintedAsync(silo.Address, racer.Where));
        return racer;
    }));

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
