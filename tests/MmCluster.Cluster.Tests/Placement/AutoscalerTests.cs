using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Placement;
using MmCluster.Cluster.Status;

namespace MmCluster.Cluster.Tests.Placement;

public sealed class AutoscalerTests
{
    private const int Queue = 64;

    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(1);
    private static readonly ComponentDeployment OneToThree = new() { MinReplicas = 1, MaxReplicas = 3 };

    private readonly ManualTime _time = new();
    private readonly Autoscaler _autoscaler;

    public AutoscalerTests() => _autoscaler = new Autoscaler(_time);

    [Fact]
    public void Queues_that_stay_half_full_bring_one_replica_at_a_time()
    {
        Assert.Null(Decide(1, 32));
        _time.Advance(Autoscaler.BusyTime - Moment);
        Assert.Null(Decide(1, 32));
        _time.Advance(Moment);
        Assert.Equal(2, Decide(1, 32));
        // The next one counts anew, over both.
        Assert.Null(Decide(2, 40, 40));
        _time.Advance(Autoscaler.BusyTime);
        Assert.Equal(3, Decide(2, 40, 40));
        Assert.Null(Decide(3, 64, 64, 64));
        _time.Advance(Autoscaler.IdleTime);
        Assert.Null(Decide(3, 64, 64, 64)); // the most that is allowed
    }

    [Fact]
    public void A_short_peak_brings_none()
    {
        Assert.Null(Decide(1, 64));
        _time.Advance(Autoscaler.BusyTime - Moment);
        Assert.Null(Decide(1, 0));
        _time.Advance(Moment);
        Assert.Null(Decide(1, 64));
        _time.Advance(Autoscaler.BusyTime - Moment);
        Assert.Null(Decide(1, 64));
    }

    [Fact]
    public void What_fewer_would_hardly_notice_is_given_up_after_a_long_while_down_to_the_least()
    {
        Assert.Null(Decide(2, 3, 3)); // six of 64
        _time.Advance(Autoscaler.IdleTime - Moment);
        Assert.Null(Decide(2, 3, 3));
        _time.Advance(Moment);
        Assert.Equal(1, Decide(2, 3, 3));
        Assert.Null(Decide(1, 0));
        _time.Advance(Autoscaler.IdleTime * 2);
        Assert.Null(Decide(1, 0));
    }

    [Fact]
    public void A_replica_that_finds_no_place_is_done_without_for_a_while()
    {
        Assert.Null(Decide(2, 60));
        _time.Advance(Autoscaler.LoadTime);
        Assert.Equal(1, Decide(2, 60));
        Assert.Null(Decide(1, 60));
        _time.Advance(Autoscaler.BusyTime);
        Assert.Null(Decide(1, 60));
        _time.Advance(Autoscaler.IdleTime);
        Assert.Equal(2, Decide(1, 60));
    }

    [Fact]
    public void Without_a_range_nothing_is_decided()
    {
        foreach (ComponentDeployment said in (ComponentDeployment[])[new(), new() { MinReplicas = 2, MaxReplicas = 2 }])
        {
            Assert.Null(_autoscaler.Decide("fixed", said, 2, [Load(64), Load(64)]));
            _time.Advance(Autoscaler.IdleTime);
            Assert.Null(_autoscaler.Decide("fixed", said, 2, [Load(64), Load(64)]));
        }
    }

    private static StageLoad Load(int used) => new() { QueueUsed = used, QueueLimit = Queue };

    private int? Decide(int desired, params int[] used) => _autoscaler.Decide("encoder", OneToThree, desired, [.. used.Select(Load)]);
}
