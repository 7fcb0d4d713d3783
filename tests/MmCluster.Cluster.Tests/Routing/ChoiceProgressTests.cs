using MmCluster.Cluster.Routing;
using MmCluster.Engine;
using MmCluster.Models;

namespace MmCluster.Cluster.Tests.Routing;

public sealed class ChoiceProgressTests
{
    [Fact]
    public void Entries_count_once_and_in_order()
    {
        ChoiceProgress progress = new(2);
        Assert.Null(progress.Emitted);
        Assert.True(progress.TryTake(Entry(0, 0, [5, 6])));
        Assert.False(progress.TryTake(Entry(0, 0, [5, 6])));
        Assert.False(progress.TryTake(Entry(0, 3, [8])));
        Assert.True(progress.IsBehind(Entry(0, 3, [8])));
        Assert.False(progress.IsBehind(Entry(0, 0, [5, 6])));
        Assert.True(progress.TryTake(Entry(0, 2, [7])));
        Assert.Equal([[5, 6, 7], []], progress.Emitted!);
    }

    [Fact]
    public void A_choice_that_has_ended_ends_once()
    {
        ChoiceProgress progress = new(2);
        Assert.True(progress.TryTake(Entry(1, 0, [1], FinishReason.Stop)));
        Assert.False(progress.TryTake(Entry(1, 1, [], FinishReason.Stop)));
        Assert.Equal(1, progress.Unfinished);
        SequenceOutput last = Assert.Single(progress.Fail("r", new MmException(MmErrorCode.Unavailable, "gone")));
        Assert.Equal((0, FinishReason.Error), (last.Choice, last.Finish!.Value));
        Assert.Equal(0, progress.Unfinished);
    }

    private static SequenceOutput Entry(int choice, int number, int[] ids, FinishReason? finish = null) => new("r", choice, number, ids, "", finish);
}
