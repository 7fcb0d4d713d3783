using MmCluster.Conformance.Grains;

namespace MmCluster.Conformance;

/// <summary>What goes along with calls, beside their arguments.</summary>
[Collection(nameof(ProcessCluster))]
public sealed class FlowTests(ProcessCluster cluster)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private IFlowGrain Grain(string key) => cluster.Client.GetGrain<IFlowGrain>(key);

    [Fact]
    public async Task Request_context_reaches_enumerations_and_observers()
    {
        Listener listener = new();
        IContextListener reference = cluster.Client.CreateObjectReference<IContextListener>(listener);
        RequestContext.Set("one", "1");
        RequestContext.Set("two", "2");
        try
        {
            List<string?> seen = [];
            await foreach (string? value in Grain("flow").Contexts(["one", "two", "three"]))
            {
                seen.Add(value);
            }
            Assert.Equal(["1", "2", null], seen);
            Assert.Equal("2", await Grain("flow").ContextOf(reference, "two"));
        }
        finally
        {
            RequestContext.Clear();
        }
        GC.KeepAlive(listener);
    }

    [Fact]
    public async Task Removing_a_key_ends_its_flow()
    {
        RequestContext.Set("gone", "1");
        RequestContext.Set("kept", "2");
        Assert.True(RequestContext.Remove("gone"));
        Assert.False(RequestContext.Remove("gone"));
        List<string?> seen = [];
        await foreach (string? value in Grain("removed").Contexts(["gone", "kept"]))
        {
            seen.Add(value);
        }
        RequestContext.Clear();
        Assert.Equal([null, "2"], seen);
        Assert.Empty(RequestContext.Keys);
    }

    [Fact]
    public async Task No_more_items_are_made_than_batches_are_asked_for()
    {
        IFlowGrain grain = Grain("batches");
        await using (IAsyncEnumerator<int> items = grain.Numbers().WithBatchSize(3).GetAsyncEnumerator(TestContext.Current.CancellationToken))
        {
            for (int i = 0; i < 3; i++)
            {
                Assert.True(await items.MoveNextAsync());
                Assert.Equal(i, items.Current);
            }
            Assert.InRange(await grain.Made(), 3, 6);
        }
    }

    [Fact]
    public async Task A_token_given_late_cancels_in_the_middle()
    {
        using CancellationTokenSource source = new();
        int seen = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (int item in Grain("late").Numbers().WithBatchSize(1).WithCancellation(source.Token))
            {
                if (++seen == 5)
                {
                    await source.CancelAsync();
                }
            }
        }).WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(5, seen);
    }

    [Fact]
    public async Task A_token_that_is_cancelled_already_calls_nothing()
    {
        CancellationToken cancelled = new(canceled: true);
        IEchoGrain grain = cluster.Client.GetGrain<IEchoGrain>("cancelled already");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => grain.WaitForCancel(cancelled)).WaitAsync(Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Silos_know_each_others_metadata()
    {
        string?[] roles = await Task.WhenAll(cluster.Silos.Select(silo => Grain($"roles{silo.Address}").RoleOf(silo.Address)));
        Assert.Equal(["gpu", "gpu", "cpu"], roles.AsEnumerable());
    }

    [Fact]
    public async Task Nulls_generics_and_derived_types_arrive()
    {
        Assert.Null(await Grain("values").Nothing(null, null, null));
        Assert.Equal(3, await Grain("values").Nothing(3, null, null));
        List<Shape> shapes = [new Circle("c", 1), new Circle("d", 2)];
        Assert.Equal(shapes, await Grain("values").Shapes(shapes));
        Box<DayOfWeek> box = await Grain("values").Boxed(new Box<DayOfWeek>(DayOfWeek.Friday, [DayOfWeek.Monday]));
        Assert.Equal(DayOfWeek.Friday, box.Value);
        Assert.Equal([DayOfWeek.Monday], box.Others);
    }

    [Fact]
    public async Task Errors_before_any_await_and_cancellation_keep_their_type()
    {
        Assert.Equal(5, (await Assert.ThrowsAsync<RefusedException>(() => Grain("errors").Refuse())).Code);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Grain("errors").Cancelled());
    }

    private sealed class Listener : IContextListener
    {
        public Task<string?> Context(string key) => Task.FromResult(RequestContext.Get(key) as string);
    }
}
