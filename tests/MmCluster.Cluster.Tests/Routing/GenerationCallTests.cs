using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.Wire;
using MmCluster.Engine;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.Routing;

/// <summary>Whatever fails on a request's way, it ends, and nothing stays leased.</summary>
public sealed class GenerationCallTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task An_encoder_that_is_lost_again_and_again_ends_the_request()
    {
        await using FakeStages stages = new();
        stages.Backbone.Begin.SetResult();
        stages.Encoder.Result = () => throw new SiloUnavailableException("killed");
        SequenceOutput end = Assert.Single(await stages.GenerateAsync(FakeStages.Picture()).WaitAsync(Patience, TestContext.Current.CancellationToken));
        Assert.Equal((FinishReason.Error, MmErrorCode.Unavailable), (end.Finish, end.Error?.Code));
        Assert.Equal(0, stages.Link.LeasedBytes);
    }

    public static TheoryData<string> Losses => ["no answer", "comes up anew", "cannot pull"];

    [Theory, MemberData(nameof(Losses))]
    public async Task Features_that_do_not_reach_a_replica_whose_stream_lives_are_a_loss(string loss)
    {
        await using FakeStages stages = new();
        stages.Backbone.Begin.SetResult();
        using Tensor features = Tensor.Ones([4, 8]);
        TensorRef made = stages.Link.Publish("made", features);
        stages.Encoder.Result = () => Task.FromResult(new EncodeReply(made));
        stages.Backbone.Supply = (gateway, handle) =>
        {
            if (handle == stages.Backbone.Submitted.First().Handle)
            {
                throw loss switch
                {
                    "no answer" => new TimeoutException(loss),
                    "comes up anew" => new StageNotPlacedException(FakeStages.BackboneKey),
                    _ => new MmException(MmErrorCode.Unavailable, loss),
                };
            }
            stages.Backbone.Finish(gateway, handle);
            return Task.CompletedTask;
        };
        SequenceOutput end = Assert.Single(await stages.GenerateAsync(FakeStages.Picture()).WaitAsync(Patience, TestContext.Current.CancellationToken));
        Assert.Equal((FinishReason.Length, null), (end.Finish, end.Error));
        Assert.Equal(2, stages.Backbone.Submitted.Count);
        Assert.Equal([stages.Backbone.Submitted.First().Handle], stages.Backbone.Cancelled);
    }

    [Fact]
    public async Task A_request_whose_media_find_no_room_here_leaves_no_lease()
    {
        await using FakeStages stages = new(slabBytes: 1 << 20);
        MmException error = await Assert.ThrowsAsync<MmException>(() => stages.GenerateAsync(FakeStages.Picture(700_000), FakeStages.Picture(700_000)));
        Assert.Equal(MmErrorCode.Unavailable, error.Code);
        Assert.Equal(0, stages.Link.LeasedBytes);
    }

    [Fact]
    public async Task Encoding_alone_is_renewed_as_requests_are()
    {
        ManualTime time = new();
        await using FakeStages stages = new(time);
        ModelCluster cluster = await stages.ConnectAsync();
        TaskCompletionSource<EncodeReply> reply = new();
        stages.Encoder.Result = () => reply.Task;
        using Tensor features = Tensor.Ones([4, 8]);
        TensorRef made = stages.Link.Publish("made", features);
        Task<PulledTensor> encoding = cluster.EncodeAsync(FakeStages.Model, "", FakeStages.Picture(), TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(() => stages.Encoder.Submitted.Count == 1, "it is not submitted");
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(stages.Encoder.Submitted, stages.Encoder.Renewed);
        reply.SetResult(new EncodeReply(made));
        (await encoding).Dispose();
        stages.Link.Release("made");
        Assert.Equal(0, stages.Link.LeasedBytes);
    }
}
