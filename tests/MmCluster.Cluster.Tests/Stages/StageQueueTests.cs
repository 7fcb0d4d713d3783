using MmCluster.Cluster.Stages;
using MmCluster.Models;

namespace MmCluster.Cluster.Tests.Stages;

public sealed class StageQueueTests
{
    [Fact]
    public void A_full_queue_says_so_at_once_and_when_to_come_again()
    {
        StageQueue queue = new("backbone x", 3);
        int taken = queue.Enter(2);
        MmException error = Assert.Throws<MmException>(() => queue.Enter(2));
        Assert.Equal(MmErrorCode.Unavailable, error.Code);
        Assert.Equal(TimeSpan.FromSeconds(1), error.RetryAfter);
        Assert.Equal("backbone x", error.Stage);
        queue.Leave(taken);
        Assert.Equal(2, queue.Enter(2));
    }

    [Fact]
    public void What_is_larger_than_the_queue_runs_alone()
    {
        StageQueue queue = new("x", 3);
        Assert.Equal(3, queue.Enter(100));
        Assert.Throws<MmException>(() => queue.Enter(1));
    }

    [Fact]
    public void A_closed_queue_takes_nothing_and_keeps_what_it_has()
    {
        StageQueue queue = new("x", 3);
        queue.Enter(1);
        queue.Close();
        Assert.Equal(MmErrorCode.Unavailable, Assert.Throws<MmException>(() => queue.Enter(1)).Code);
        Assert.Equal(1, queue.Used);
        Assert.True(queue.IsClosed);
    }
}
