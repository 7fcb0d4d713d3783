using MmCluster.Conformance.Grains;

namespace MmCluster.Conformance;

/// <summary>How grains are named, found and passed on.</summary>
[Collection(nameof(ProcessCluster))]
public sealed class KeyTests(ProcessCluster cluster)
{
    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    [InlineData(long.MaxValue)]
    public async Task Numbers_come_back(long key) => Assert.Equal(key, await cluster.Client.GetGrain<INumberedGrain>(key).Key());

    [Fact]
    public async Task Guids_and_pairs_come_back()
    {
        Guid key = Guid.NewGuid();
        Assert.Equal(key, await cluster.Client.GetGrain<IGuidGrain>(key).Key());
        Assert.Equal((-5, "a+b/c"), await cluster.Client.GetGrain<IPairGrain>(-5, "a+b/c").Key());
    }

    [Fact]
    public async Task A_prefix_chooses_between_classes()
    {
        Assert.Equal("books", await cluster.Client.GetGrain<IShopGrain>("s", "MmCluster.Conformance.Grains.BookShop").Kind());
        Assert.Equal("fruit", await cluster.Client.GetGrain<IShopGrain>("s", "MmCluster.Conformance.Grains.FruitShop").Kind());
        Assert.Throws<ArgumentException>(() => cluster.Client.GetGrain<IShopGrain>("s"));
    }

    [Fact]
    public async Task References_are_equal_by_grain_and_travel()
    {
        IPointerGrain one = cluster.Client.GetGrain<IPointerGrain>("one");
        IPointerGrain two = cluster.Client.GetGrain<IPointerGrain>("two");
        IPointerGrain self = await one.Self();
        Assert.Equal(one, self);
        Assert.NotEqual(one, two);
        Assert.Equal(one.GetGrainId(), self.GetGrainId());
        Assert.Equal("two", await self.KeyOf(two));
        Assert.Equal("one", await cluster.Client.GetGrain<IPointerGrain>(one.GetGrainId()).Key());
    }

    [Fact]
    public async Task A_grain_that_waits_for_itself_times_out() =>
        Assert.Equal(nameof(TimeoutException), await cluster.Client.GetGrain<IPointerGrain>("self").CallSelf());
}
