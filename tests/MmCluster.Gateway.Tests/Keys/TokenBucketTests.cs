using MmCluster.Gateway.Keys;

namespace MmCluster.Gateway.Tests.Keys;

public sealed class TokenBucketTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void What_was_taken_comes_back_with_time_and_no_sooner()
    {
        var bucket = new TokenBucket(2, 2, _time);
        Assert.Null(bucket.TryTake(1));
        Assert.Null(bucket.TryTake(1));
        Assert.Equal(TimeSpan.FromSeconds(0.5), bucket.TryTake(1));
        _time.Advance(TimeSpan.FromSeconds(0.25));
        Assert.Equal(TimeSpan.FromSeconds(0.25), bucket.TryTake(1));
        _time.Advance(TimeSpan.FromSeconds(0.25));
        Assert.Null(bucket.TryTake(1));
    }

    [Fact]
    public void A_rest_does_not_save_up_beyond_the_capacity()
    {
        var bucket = new TokenBucket(1, 3, _time);
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Null(bucket.TryTake(3));
        Assert.NotNull(bucket.TryTake(0.1));
    }

    [Fact]
    public void An_overdraft_is_waited_off()
    {
        var bucket = new TokenBucket(10, 100, _time);
        bucket.Charge(150);
        Assert.Equal(TimeSpan.FromSeconds(5.1), bucket.WaitFor(1));
        _time.Advance(TimeSpan.FromSeconds(5.1));
        Assert.Null(bucket.WaitFor(1));
    }
}
