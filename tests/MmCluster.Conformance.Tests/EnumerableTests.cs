using MmCluster.Conformance.Grains;

namespace MmCluster.Conformance;

/// <summary>Grain methods that return IAsyncEnumerable.</summary>
[Collection(nameof(ProcessCluster))]
public sealed class EnumerableTests(ProcessCluster cluster)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1000)]
    public async Task All_items_come_in_order(int batch)
    {
        List<int> items = [];
        await foreach (int item in cluster.Client.GetGrain<IEchoGrain>("count").Count(500).WithBatchSize(batch))
        {
            items.Add(item);
        }
        Assert.Equal(Enumerable.Range(0, 500), items);
    }

    [Fact]
    public async Task Breaking_off_ends_the_grains_side()
    {
        IEchoGrain grain = cluster.Client.GetGrain<IEchoGrain>("break");
        await foreach (int item in grain.Endless())
        {
            Assert.Equal(1, item);
            Assert.Equal(1, await grain.OpenEnumerations());
            break;
        }
        Assert.Equal(0, await grain.OpenEnumerations());
    }

    [Fact]
    public async Task Cancelling_while_it_blocks_ends_both_sides()
    {
        IEchoGrain grain = cluster.Client.GetGrain<IEchoGrain>("blocked");
        using CancellationTokenSource source = new();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (int item in grain.Endless(source.Token))
            {
                source.CancelAfter(TimeSpan.FromMilliseconds(50));
            }
        }).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(0, await grain.OpenEnumerations());
    }

    [Fact]
    public async Task An_error_comes_after_the_items_before_it()
    {
        List<int> items = [];
        RefusedException error = await Assert.ThrowsAsync<RefusedException>(async () =>
        {
            await foreach (int item in cluster.Client.GetGrain<IEchoGrain>("breaks").Breaks(3))
            {
                items.Add(item);
            }
        });
        Assert.Equal([0, 1, 2], items);
        Assert.Equal(3, error.Code);
    }

    [Fact]
    public async Task A_lost_enumerator_is_an_error()
    {
        IEchoGrain grain = cluster.Client.GetGrain<IEchoGrain>("lost");
        int incarnation = await grain.Incarnation();
        await using IAsyncEnumerator<int> items = grain.Count(500).WithBatchSize(1).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await items.MoveNextAsync());
        await grain.Leave();
        Assert.NotEqual(incarnation, await grain.Incarnation());
        await Assert.ThrowsAsync<EnumerationAbortedException>(async () => await items.MoveNextAsync());
    }
}
