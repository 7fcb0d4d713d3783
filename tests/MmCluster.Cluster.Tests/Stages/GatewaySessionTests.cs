using MmCluster.Cluster.Stages;
using MmCluster.Cluster.Wire;
using MmCluster.Models;

namespace MmCluster.Cluster.Tests.Stages;

public sealed class GatewaySessionTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public async Task A_reader_gets_every_batch_once_and_goes_on_behind_a_number()
    {
        GatewaySession session = new("g", _time);
        Step(session, 3);
        List<long> numbers = await ReadAsync(session, 0, 4);
        Assert.Equal([numbers[0], numbers[0] + 1, numbers[0] + 2, numbers[0] + 3], numbers);
        Assert.Equal([numbers[3]], await ReadAsync(session, numbers[2], 1));
    }

    [Fact]
    public async Task A_reader_learns_where_it_is_before_there_is_anything_to_read()
    {
        GatewaySession session = new("g", _time);
        long begin = (await ReadAsync(session, 0, 1))[0];
        Step(session, 1);
        Assert.Equal([begin + 1], await ReadAsync(session, begin, 1));
        MmException error = await Assert.ThrowsAsync<MmException>(() => ReadAsync(new GatewaySession("g", _time), begin, 1));
        Assert.Equal(MmErrorCode.Unavailable, error.Code);
    }

    [Fact]
    public async Task A_gateway_that_comes_back_after_it_was_given_up_is_refused()
    {
        GatewaySession session = new("g", _time);
        long begin = (await ReadAsync(session, 0, 1))[0];
        Step(session, 1);
        session.Lose();
        Step(session, 1); // the ends of what was cancelled for it: it has to replay instead
        MmException error = await Assert.ThrowsAsync<MmException>(() => ReadAsync(session, begin, 1));
        Assert.Equal(MmErrorCode.Unavailable, error.Code);
    }

    [Fact]
    public async Task A_reader_from_another_activation_is_refused_rather_than_left_waiting()
    {
        GatewaySession lost = new("g", _time);
        Step(lost, 3);
        long last = (await ReadAsync(lost, 0, 4))[^1];
        GatewaySession next = new("g", _time);
        MmException error = await Assert.ThrowsAsync<MmException>(() => ReadAsync(next, last, 1));
        Assert.Equal(MmErrorCode.Unavailable, error.Code);
    }

    [Fact]
    public async Task A_reader_waits_for_what_comes_and_ends_with_the_stage()
    {
        GatewaySession session = new("g", _time);
        Task<List<long>> reading = ReadAsync(session, 0, int.MaxValue);
        Step(session, 2);
        session.End();
        Assert.Equal(3, (await reading).Count);
    }

    [Fact]
    public async Task What_is_kept_no_more_is_refused_rather_than_left_out()
    {
        GatewaySession session = new("g", _time);
        Step(session, 1);
        long first = (await ReadAsync(session, 0, 2))[^1];
        Step(session, 199);
        MmException error = await Assert.ThrowsAsync<MmException>(() => ReadAsync(session, 0, 2));
        Assert.Equal(MmErrorCode.Unavailable, error.Code);
        Assert.Equal([first + 199], await ReadAsync(session, first + 198, 1));
    }

    [Fact]
    public async Task A_session_without_reader_is_abandoned_since_the_last_one_left()
    {
        GatewaySession session = new("g", _time);
        Step(session, 1);
        await ReadAsync(session, 0, 1);
        DateTimeOffset left = _time.GetUtcNow();
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(left, session.AbandonedSince);
    }

    private static void Step(GatewaySession session, int count)
    {
        for (int i = 0; i < count; i++)
        {
            session.Add(new TokenEntry { Handle = 1, Count = 1 }, [i]);
            session.Flush();
        }
    }

    private static async Task<List<long>> ReadAsync(GatewaySession session, long after, int count)
    {
        List<long> numbers = [];
        await foreach (StepBatch batch in session.ReadAsync(after, TestContext.Current.CancellationToken))
        {
            numbers.Add(batch.Number);
            if (numbers.Count == count)
            {
                break;
            }
        }
        return numbers;
    }
}
