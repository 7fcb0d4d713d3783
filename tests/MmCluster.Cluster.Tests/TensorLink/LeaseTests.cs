using MmCluster.Cluster.TensorLink;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.TensorLink;

public sealed class LeaseTests
{
    private static readonly TensorLinkOptions Options = new() { ClusterSecret = "s", SlabBytes = 1 << 20 };

    [Fact]
    public async Task A_lease_ends_when_nobody_renews_it_and_goes_on_when_somebody_does()
    {
        var time = new ManualTime();
        await using TensorLinkEndpoint endpoint = new(Options, time);
        using Tensor tensor = Tensor.Ones([1000]);
        endpoint.Publish("renewed", tensor);
        endpoint.Publish("forgotten", tensor);
        for (int beat = 0; beat < 5; beat++)
        {
            time.Advance(TimeSpan.FromSeconds(10));
            endpoint.Renew("renewed");
        }
        Assert.Equal(4000, endpoint.LeasedBytes);
        time.Advance(TimeSpan.FromSeconds(60));
        Assert.Equal(0, endpoint.LeasedBytes);
    }

    [Fact]
    public async Task A_full_slab_says_so_and_is_usable_again_after_a_release()
    {
        await using TensorLinkEndpoint endpoint = new(Options, TimeProvider.System);
        using Tensor half = Tensor.Zeros([1 << 19], DType.U8);
        endpoint.Publish("a", half);
        endpoint.Publish("b", half);
        MmException error = Assert.Throws<MmException>(() => endpoint.Publish("c", half));
        Assert.Equal((MmErrorCode.Unavailable, true), (error.Code, error.RetryAfter is not null));
        endpoint.Release("a");
        endpoint.Publish("c", half);
    }

    [Fact]
    public async Task Pieces_given_back_in_any_order_join_to_one()
    {
        await using TensorLinkEndpoint endpoint = new(Options, TimeProvider.System);
        var random = new Random(1);
        using Tensor piece = Tensor.Zeros([5000], DType.U8);
        using Tensor whole = Tensor.Zeros([1 << 20], DType.U8);
        for (int round = 0; round < 20; round++)
        {
            string[] requests = [.. Enumerable.Range(0, 100).Select(i => $"{round}/{i}")];
            Array.ForEach(requests, request => endpoint.Publish(request, piece));
            random.Shuffle(requests);
            Array.ForEach(requests, endpoint.Release);
            endpoint.Publish("whole", whole);
            endpoint.Release("whole");
        }
    }

    [Fact]
    public void An_endpoint_without_secret_is_refused() => Assert.Equal(
        MmErrorCode.InvalidArgument,
        Assert.Throws<MmException>(() => new TensorLinkEndpoint(Options with { ClusterSecret = "" }, TimeProvider.System)).Code);
}
