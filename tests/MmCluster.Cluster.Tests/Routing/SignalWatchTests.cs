using MmCluster.Cluster.Routing;
using MmCluster.Models.Cards;

namespace MmCluster.Cluster.Tests.Routing;

public sealed class SignalWatchTests
{
    [Fact]
    public void A_signal_is_found_wherever_entries_are_cut_and_after_a_false_start()
    {
        SignalWatch watch = new([new SignalOf("paint", [7, 8, 9], Modality.Image), new SignalOf("sing", [5], Modality.Audio)]);
        Assert.Empty(watch.Push(new[] { 7, 8 }));
        Assert.Empty(watch.Push(new[] { 7 }));
        Assert.Equal(["sing"], watch.Push(new[] { 8, 5 }).Select(signal => signal.Component));
        Assert.Equal(["paint", "paint"], watch.Push(new[] { 7, 8, 9, 7, 8, 9 }).Select(signal => signal.Component));
    }
}
