using MmCluster.Conformance.Grains;

namespace MmCluster.Conformance;

/// <summary>Calls between processes: values, errors, timeouts, cancellation, request context.</summary>
[Collection(nameof(ProcessCluster))]
public sealed class CallTests(ProcessCluster cluster)
{
    [Fact]
    public async Task Values_arrive_as_they_were_sent()
    {
        IEchoGrain grain = cluster.Client.GetGrain<IEchoGrain>("values");
        Assert.Equal(7, await grain.Add(3, 4));
        Assert.Equal("grüße", await grain.Echo("grüße"));
        Note note = new() { Text = "a", Numbers = [1, 2], Weights = { ["x"] = 1.5, ["y"] = null }, Bytes = new byte[] { 9, 8 }, Tags = ["t"] };
        note.Next = note;
        Note back = await grain.GiveBack(note);
        Assert.Equal("a!", back.Text);
        Assert.Equal("a", note.Text);
        Assert.Equal(note.Numbers, back.Numbers);
        Assert.Equal(note.Weights, back.Weights);
        Assert.Equal(note.Bytes.ToArray(), back.Bytes.ToArray());
        Assert.Equal(note.Tags.AsEnumerable(), back.Tags.AsEnumerable());
        Assert.Same(back, back.Next);
        Assert.Equal(new Circle("c", 2), await grain.Turn(new Circle("c", 2)));
        Assert.Equal(new Point(2, 1), await grain.Mirror(new Point(1, 2)));
        Assert.Equal(84, (await grain.Twice(new Foreign(42))).Value);
        Assert.Equal(5L, await grain.Anything(5L));
        Assert.Equal("text", await grain.Anything("text"));
        Assert.Equal(new[] { 1, 2 }, await grain.Anything(new[] { 1, 2 }));
    }

    [Fact]
    public async Task Errors_keep_type_text_and_members()
    {
        IEchoGrain grain = cluster.Client.GetGrain<IEchoGrain>("errors");
        RefusedException own = await Assert.ThrowsAsync<RefusedException>(() => grain.Fail("own"));
        Assert.Equal("refused", own.Message);
        Assert.Equal(42, own.Code);
        ArgumentOutOfRangeException known = await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => grain.Fail("known"));
        Assert.Contains("too deep", known.Message, StringComparison.Ordinal);
        InvalidOperationException outer = await Assert.ThrowsAsync<InvalidOperationException>(() => grain.Fail("inner"));
        Assert.Equal(7, Assert.IsType<RefusedException>(outer.InnerException).Code);
    }

    [Fact]
    public async Task An_error_in_activation_reaches_the_caller()
    {
        RefusedException error = await Assert.ThrowsAsync<RefusedException>(() => cluster.Client.GetGrain<IBrokenGrain>("b").Call());
        Assert.Equal(3, error.Code);
    }

    [Fact]
    public async Task A_call_times_out() =>
        await Assert.ThrowsAsync<TimeoutException>(() => cluster.Client.GetGrain<IEchoGrain>("stall").Stall());

    [Fact]
    public async Task A_cancelled_call_ends_at_both_sides()
    {
        IEchoGrain[] grains = [.. Enumerable.Range(0, 6).Select(i => cluster.Client.GetGrain<IEchoGrain>($"cancel{i}"))];
        foreach (IEchoGrain grain in grains)
        {
            using CancellationTokenSource source = new();
            Task<bool> waiting = grain.WaitForCancel(source.Token);
            await grain.Waits();
            await source.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
            Assert.True(await grain.WasCancelled().WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
        }
    }

    [Fact]
    public async Task Request_context_travels_through_grains()
    {
        RequestContext.Set("tenant", "acme");
        try
        {
            Assert.Equal("acme", await cluster.Client.GetGrain<IEchoGrain>("context").Context("tenant"));
            string?[] behind = await Task.WhenAll(Enumerable.Range(0, 6)
                .Select(i => cluster.Client.GetGrain<IEchoGrain>($"front{i}").ContextBehind("tenant", $"behind{i}")));
            Assert.All(behind, value => Assert.Equal("acme", value));
        }
        finally
        {
            RequestContext.Clear();
        }
        Assert.Null(await cluster.Client.GetGrain<IEchoGrain>("context").Context("tenant"));
    }
}
