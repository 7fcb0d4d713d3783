using MmCluster.Cluster.Grains;

namespace MmCluster.Cluster.Tests.Grains;

public sealed class LongPollTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public async Task A_poll_ends_with_a_change_or_after_a_while()
    {
        LongPoll poll = new(_time, CancellationToken.None);
        Task changed = poll.WaitAsync();
        Assert.False(changed.IsCompleted);
        poll.Change();
        await changed;
        Task patient = poll.WaitAsync();
        _time.Advance(TimeSpan.FromSeconds(3.9));
        Assert.False(patient.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        await patient;
    }

    [Fact]
    public async Task A_silo_that_stops_is_not_kept_by_polls()
    {
        using var stopping = new CancellationTokenSource();
        LongPoll poll = new(_time, stopping.Token);
        Task before = poll.WaitAsync();
        await stopping.CancelAsync();
        await before;
        Task again = poll.WaitAsync();
        Assert.False(again.IsCompleted, "who asks again would ask without a pause");
        _time.Advance(TimeSpan.FromMilliseconds(20));
        await again;
    }
}
