using MmCluster.Cluster.LocalStorage;
using MmCluster.Conformance.Grains;
using Orleans.Storage;

namespace MmCluster.Conformance;

/// <summary>Grain state and its etags.</summary>
public sealed class StorageTests(InsideCluster cluster) : IClassFixture<InsideCluster>
{
    [Fact]
    public async Task State_outlives_the_activation()
    {
        ITallyGrain grain = cluster.Client.GetGrain<ITallyGrain>("outlives");
        Assert.Equal(5, await grain.Add(5));
        await grain.Leave();
        Assert.Equal(5, await grain.Get());
        await grain.Clear();
        await grain.Leave();
        Assert.Equal(0, await grain.Get());
    }

    [Fact]
    public async Task A_write_over_someone_elses_fails_and_the_grain_reads_again()
    {
        ITallyGrain grain = cluster.Client.GetGrain<ITallyGrain>("conflict");
        await grain.Add(1);
        LocalGrainStorage other = Storage();
        GrainState<Tally> state = new(new Tally());
        await other.ReadStateAsync("state", grain.GetGrainId(), state);
        state.State!.Value = 100;
        await other.WriteStateAsync("state", grain.GetGrainId(), state);
        InconsistentStateException error = await Assert.ThrowsAsync<InconsistentStateException>(() => grain.Add(1));
        Assert.Equal(state.ETag, error.StoredEtag);
        Assert.Equal(101, await grain.Add(1));
    }

    [Fact]
    public async Task Etags_are_checked_by_every_write()
    {
        LocalGrainStorage storage = Storage();
        GrainId id = GrainId.Create("tally", "etags");
        GrainState<Tally> first = new(new Tally { Value = 1 });
        await storage.WriteStateAsync("state", id, first);
        GrainState<Tally> second = new(new Tally());
        await storage.ReadStateAsync("state", id, second);
        Assert.Equal(first.ETag, second.ETag);
        await storage.WriteStateAsync("state", id, first);
        await Assert.ThrowsAsync<InconsistentStateException>(() => storage.WriteStateAsync("state", id, second));
        await Assert.ThrowsAsync<InconsistentStateException>(() => storage.ClearStateAsync("state", id, second));
        await storage.ClearStateAsync("state", id, first);
        await storage.ReadStateAsync("state", id, second);
        Assert.False(second.RecordExists);
        Assert.Null(second.ETag);
    }

    private LocalGrainStorage Storage() => new(cluster.Folder, "Default", TimeProvider.System);
}
