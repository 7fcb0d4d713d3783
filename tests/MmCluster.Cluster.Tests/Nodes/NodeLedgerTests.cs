using MmCluster.Cluster.Nodes;

namespace MmCluster.Cluster.Tests.Nodes;

public sealed class NodeLedgerTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void Memory_is_promised_until_it_is_gone()
    {
        NodeLedger ledger = Ledger();
        Assert.True(ledger.TryReserve("a", "cpu", 60));
        Assert.False(ledger.TryReserve("b", "cpu", 41));
        Assert.True(ledger.TryReserve("b", "cpu", 40));
        Assert.Equal(100, ledger.Devices[0].ReservedBytes);
        ledger.Release("a");
        Assert.Equal(40, ledger.Devices[0].ReservedBytes);
    }

    [Fact]
    public void A_promise_that_is_not_confirmed_in_time_is_void()
    {
        NodeLedger ledger = Ledger();
        Assert.True(ledger.TryReserve("a", "cpu", 60));
        Assert.True(ledger.TryReserve("b", "cpu", 40));
        Assert.True(ledger.TryConfirm("b"));
        _time.Advance(NodeLedger.PromiseTime);
        Assert.Null(ledger.Find("a"));
        Assert.False(ledger.TryConfirm("a"));
        Assert.Equal("cpu", ledger.Find("b"));
        Assert.Equal(40, ledger.Devices[0].ReservedBytes);
    }

    [Fact]
    public void A_second_promise_to_a_stage_replaces_the_first()
    {
        NodeLedger ledger = Ledger();
        Assert.True(ledger.TryReserve("a", "cpu", 60));
        Assert.True(ledger.TryReserve("a", "cpu", 100));
        Assert.Equal(100, ledger.Devices[0].ReservedBytes);
    }

    [Fact]
    public void What_a_stage_took_replaces_what_it_was_promised_where_there_is_room()
    {
        NodeLedger ledger = Ledger();
        Assert.True(ledger.TryReserve("a", "cpu", 10));
        Assert.True(ledger.TryReserve("b", "cpu", 50));
        Assert.False(ledger.TryCorrect("a", 51));
        Assert.True(ledger.TryCorrect("a", 50));
        Assert.False(ledger.TryCorrect("unknown", 1));
    }

    [Fact]
    public void Any_gpu_means_the_one_with_most_room()
    {
        NodeLedger ledger = new(new Dictionary<string, long> { ["cpu"] = 100, ["cuda:0"] = 50, ["cuda:1"] = 80 }, _time);
        Assert.True(ledger.TryReserve("a", "cuda", 45));
        Assert.Equal("cuda:1", ledger.Find("a"));
        Assert.True(ledger.TryReserve("b", "cuda", 45));
        Assert.Equal("cuda:0", ledger.Find("b"));
        Assert.False(ledger.TryReserve("c", "cuda", 45));
        Assert.False(ledger.TryReserve("d", "cuda:7", 1));
    }

    [Fact]
    public async Task Racing_promises_never_exceed_the_device()
    {
        NodeLedger ledger = Ledger();
        bool[] granted = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(() => ledger.TryReserve($"s{i}", "cpu", 7))));
        Assert.Equal(14, granted.Count(grant => grant));
        Assert.Equal(98, ledger.Devices[0].ReservedBytes);
    }

    private NodeLedger Ledger() => new(new Dictionary<string, long> { ["cpu"] = 100 }, _time);
}
