using MmCluster.Cluster.Routing;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;

namespace MmCluster.Cluster.Tests.Routing;

public sealed class ReplicaStreamTests : IAsyncDisposable
{
    private const string Session = "gateway.1";

    private readonly FakeStages _stages = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _stages.DisposeAsync();

    [Fact]
    public async Task Nothing_is_submitted_before_the_stream_has_begun()
    {
        using ReplicaStream stream = new(_stages, "mini@r/0", Session, new ManualTime());
        Attempt attempt = new(1, "r", 1);
        Task submitting = stream.SubmitAsync(attempt, Message(1), Stop);
        Assert.False(submitting.IsCompleted);
        Assert.Empty(_stages.Backbone.Submitted);
        _stages.Backbone.Begin.SetResult();
        await submitting;
        Assert.Single(_stages.Backbone.Submitted);
        Assert.Equal(AttemptEnd.None, attempt.End);
    }

    [Fact]
    public async Task A_request_of_an_activation_that_is_gone_is_lost_when_another_one_answers()
    {
        _stages.Backbone.Begin.SetResult();
        using ReplicaStream stream = new(_stages, "mini@r/0", Session, TimeProvider.System);
        Attempt attempt = new(1, "r", 1);
        await stream.SubmitAsync(attempt, Message(1), Stop);
        // Nothing was read but the stream's beginning: that is enough to tell the next activation from this one.
        TaskCompletionSource broken = _stages.Backbone.Break;
        _stages.Backbone.Break = new TaskCompletionSource();
        _stages.Backbone.Restart();
        broken.SetException(new SiloUnavailableException("killed"));
        Assert.False(await attempt.Entries.WaitToReadAsync(Stop));
        Assert.Equal(AttemptEnd.Lost, attempt.End);
    }

    [Fact]
    public async Task A_submission_to_a_stream_that_has_ended_is_refused()
    {
        _stages.Backbone.Begin.SetResult();
        using ReplicaStream stream = new(_stages, "mini@r/0", Session, TimeProvider.System);
        await stream.SubmitAsync(new Attempt(1, "r", 1), Message(1), Stop);
        _stages.Backbone.Session(Session).End();
        await stream.Ended;
        await Assert.ThrowsAsync<StageNotPlacedException>(() => stream.SubmitAsync(new Attempt(2, "r", 1), Message(2), Stop));
        Assert.Single(_stages.Backbone.Submitted);
        Assert.Equal(1, stream.Load);
    }

    [Fact]
    public async Task An_attempt_that_is_closed_after_its_stream_ended_is_cancelled_where_its_replica_lives()
    {
        _stages.Backbone.Begin.SetResult();
        using ReplicaStream stream = new(_stages, "mini@r/0", Session, TimeProvider.System);
        Attempt attempt = new(5, "r", 1);
        await stream.SubmitAsync(attempt, Message(5), Stop);
        _stages.Backbone.Session(Session).Lose();
        await stream.Ended;
        await stream.CloseAsync(attempt, cancel: true);
        Assert.Equal([5], _stages.Backbone.Cancelled);
        Assert.Equal(0, stream.Load);
    }

    private static GenerationMessage Message(long handle) => new()
    {
        Gateway = Session,
        Handle = handle,
        Request = "r",
        Prompt = [],
        Sampling = new SamplingParameters(),
    };
}
