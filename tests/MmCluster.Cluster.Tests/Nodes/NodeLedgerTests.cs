using MmCluster.Cluster.Hosting;
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
    public void Gpus_in_a_row_are_promised_all_or_none()
    {
        NodeLedger ledger = new([new("cpu", 100), new("cuda:0", 50), new("cuda:1", 80), new("cuda:2", 90), new("cuda:3", 40)], _time);
        Assert.False(ledger.TryReserve("a", "cuda", 60, count: 3));
        Assert.False(ledger.TryReserve("a", "cuda:3", 10, count: 2));
        Assert.True(ledger.TryReserve("a", "cuda", 60, count: 2));
        Assert.Equal("cuda:1", ledger.Find("a"));
        Assert.Equal([0, 0, 60, 60, 0], ledger.Devices.Select(device => device.ReservedBytes));
        Assert.Equal(80, ledger.RoomOf("a"));
        Assert.True(ledger.TryReserve("b", "cuda:0", 20, count: 2));
        Assert.Equal([0, 20, 80, 60, 0], ledger.Devices.Select(device => device.ReservedBytes));
        Assert.Equal(60, ledger.RoomOf("a"));
        Assert.False(ledger.TryCorrect("a", 61));
        Assert.True(ledger.TryCorrect("a", 55));
        ledger.Release("b");
        Assert.Equal([0, 0, 55, 55, 0], ledger.Devices.Select(device => device.ReservedBytes));
    }

    [Fact]
    public void Any_gpu_means_the_one_with_most_room()
    {
        NodeLedger ledger = new([new("cpu", 100), new("cuda:0", 50), new("cuda:1", 80)], _time);
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

    [Fact]
    public void Replicas_of_a_component_and_shards_of_a_backbone_go_to_different_gpus()
    {
        NodeLedger ledger = new([new("cuda:0", 100), new("cuda:1", 60), new("cuda:2", 50)], _time);
        string[] stages = ["digest/0", "digest/1", "digest/2", "digest/3", "m@r/0", "m@r/0/1", "m@r/0/2"];
        Assert.All(stages, stage => Assert.True(ledger.TryReserve(stage, "cuda", 10)));
        Assert.Equal(
            ["cuda:0", "cuda:1", "cuda:2", "cuda:0", "cuda:0", "cuda:1", "cuda:2"],
            stages.Select(ledger.Find));
    }

    [Fact]
    public void A_stage_may_take_what_others_were_not_promised()
    {
        NodeLedger ledger = new([new("cuda:0", 100)], _time);
        Assert.True(ledger.TryReserve("a", "cuda", 10));
        Assert.Equal(100, ledger.RoomOf("a"));
        Assert.True(ledger.TryReserve("b", "cuda", 30));
        Assert.Equal(70, ledger.RoomOf("a"));
        Assert.True(ledger.TryCorrect("a", 70));
        Assert.Equal(30, ledger.RoomOf("b"));
        Assert.Equal(0, ledger.RoomOf("unknown"));
    }

    [Fact]
    public void What_other_processes_take_of_a_gpu_is_not_promised()
    {
        FakeGpus gpus = new((1L << 30) + (512 << 20));
        NodeLedger ledger = new(NodeDevice.Of(new MmSiloOptions { ClusterSecret = "s", MemoryBytes = 7 }, gpus), _time);
        Assert.Equal([7, 1L << 30], ledger.Devices.Select(device => device.CapacityBytes));
        Assert.True(ledger.TryReserve("a", "cuda", 400 << 20));
        gpus.Free[0] = 600L << 20;
        // 200 MiB are left of what is free when a has taken its own.
        Assert.False(ledger.TryReserve("b", "cuda", 201 << 20));
        Assert.True(ledger.TryReserve("b", "cuda", 200 << 20));
        ledger.Release("b");
        Assert.True(ledger.TryCorrect("a", 400 << 20));
        Assert.True(ledger.TryReserve("b", "cuda", 600 << 20));
        Assert.Equal(600L << 20, ledger.Devices[1].FreeBytes);
    }

    [Fact]
    public void An_old_gpu_is_told_of_and_never_used()
    {
        FakeGpus gpus = new(8L << 30, 8L << 30) { Majors = [7, 9] };
        NodeLedger ledger = new(NodeDevice.Of(new MmSiloOptions { ClusterSecret = "s" }, gpus), _time);
        Assert.Equal(["", "7.5", "9.0"], ledger.Devices.Select(device => device.ComputeCapability));
        Assert.False(ledger.TryReserve("a", "cuda:0", 1));
        Assert.True(ledger.TryReserve("a", "cuda", 1));
        Assert.Equal("cuda:1", ledger.Find("a"));
    }

    [Fact]
    public void Nothing_is_promised_on_a_lost_device()
    {
        NodeLedger ledger = new([new("cuda:0", 100)], _time);
        Assert.True(ledger.TryReserve("a", "cuda", 10));
        ledger.Lose("cuda:0");
        Assert.False(ledger.TryReserve("b", "cuda", 1));
        Assert.True(ledger.Devices[0].Lost);
        Assert.Equal(0, ledger.Devices[0].CapacityBytes);
    }

    private NodeLedger Ledger() => new([new("cpu", 100)], _time);
}
