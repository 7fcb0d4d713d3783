using MmCluster.Cluster.TensorLink;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.TensorLink;

/// <summary>One body for shared memory and for TCP: two endpoints that take each other for other processes.</summary>
public abstract class TensorLinkTests(bool shareMemory)
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_tensor_arrives_as_it_was_published()
    {
        await using TensorLinkEndpoint producer = Endpoint(), consumer = Endpoint();
        using Tensor tensor = Tensor.From<float>([1, 2, 3, 4, 5, 6], [2, 3]);
        TensorRef reference = producer.Publish("r1", tensor, contentHash: 7);
        using PulledTensor pulled = await consumer.PullAsync(reference, Stop);
        Assert.Equal([2, 3], pulled.Tensor.Shape.AsSpan().ToArray());
        Assert.Equal([1, 2, 3, 4, 5, 6], pulled.Tensor.ToArray<float>());
    }

    [Fact]
    public async Task Empty_and_odd_sizes_arrive()
    {
        await using TensorLinkEndpoint producer = Endpoint(), consumer = Endpoint();
        foreach (int length in (int[])[0, 1, 4095, 4096, 4097, 100_000])
        {
            byte[] bytes = [.. Enumerable.Range(0, length).Select(i => (byte)(i * 7))];
            using Tensor tensor = Tensor.From<byte>(bytes, [length]);
            using PulledTensor pulled = await consumer.PullAsync(producer.Publish("r", tensor), Stop);
            Assert.Equal(bytes, pulled.Tensor.ToArray<byte>());
        }
    }

    [Fact]
    public async Task Many_pulls_at_once_each_get_their_own_tensor()
    {
        await using TensorLinkEndpoint producer = Endpoint(), consumer = Endpoint();
        TensorRef[] references = [.. Enumerable.Range(0, 32).Select(i =>
        {
            using Tensor tensor = Tensor.Full([1000 + i], i);
            return producer.Publish($"r{i}", tensor);
        })];
        await Task.WhenAll(references.Select(async (reference, i) =>
        {
            using PulledTensor pulled = await consumer.PullAsync(reference, Stop);
            Assert.All(pulled.Tensor.ToArray<float>(), value => Assert.Equal(i, value));
        }));
    }

    [Fact]
    public async Task A_released_request_frees_its_memory_and_its_tensors_are_gone()
    {
        await using TensorLinkEndpoint producer = Endpoint(), consumer = Endpoint();
        using Tensor tensor = Tensor.Ones([1000]);
        TensorRef reference = producer.Publish("r1", tensor);
        producer.Publish("r2", tensor);
        Assert.Equal(8000, producer.LeasedBytes);
        producer.Release("r1");
        Assert.Equal(4000, producer.LeasedBytes);
        MmException error = await Assert.ThrowsAsync<MmException>(() => consumer.PullAsync(reference, Stop));
        Assert.Equal(MmErrorCode.Unavailable, error.Code);
    }

    [Fact]
    public async Task A_restarted_silo_is_not_taken_for_its_former_self()
    {
        await using TensorLinkEndpoint former = Endpoint(), consumer = Endpoint(), present = Endpoint();
        using Tensor tensor = Tensor.Ones([4]);
        TensorRef reference = former.Publish("r", tensor);
        present.Publish("r", tensor);
        TensorRef stale = reference with { Owner = present.Address with { Incarnation = former.Address.Incarnation } };
        MmException error = await Assert.ThrowsAsync<MmException>(() => consumer.PullAsync(stale, Stop));
        Assert.Contains("restarted", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_secret_opens_nothing()
    {
        await using TensorLinkEndpoint producer = Endpoint(), stranger = Endpoint("another secret");
        using Tensor tensor = Tensor.Ones([4]);
        MmException error = await Assert.ThrowsAsync<MmException>(() => stranger.PullAsync(producer.Publish("r", tensor), Stop));
        Assert.Contains("secret", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_silo_that_is_gone_is_unavailable()
    {
        TensorLinkEndpoint producer = Endpoint();
        await using TensorLinkEndpoint consumer = Endpoint();
        using Tensor tensor = Tensor.Ones([4]);
        TensorRef reference = producer.Publish("r", tensor);
        await producer.DisposeAsync();
        MmException error = await Assert.ThrowsAsync<MmException>(() => consumer.PullAsync(reference, Stop));
        Assert.True(error.Retryable);
    }

    [Fact]
    public async Task The_same_process_gets_the_tensor_itself()
    {
        await using TensorLinkEndpoint endpoint = Endpoint();
        using Tensor tensor = Tensor.Ones([4]);
        TensorRef reference = endpoint.Publish("r", tensor);
        using PulledTensor first = await endpoint.PullAsync(reference, Stop);
        using PulledTensor second = await endpoint.PullAsync(reference, Stop);
        Assert.Equal(first.Tensor.DenseAddress, second.Tensor.DenseAddress);
    }

    private TensorLinkEndpoint Endpoint(string secret = "secret") => new(
        new TensorLinkOptions { ClusterSecret = secret, SlabBytes = 16 << 20, CreditBytes = 1 << 14, ShareMemory = shareMemory }, TimeProvider.System);
}

public sealed class SharedMemoryLinkTests() : TensorLinkTests(shareMemory: true)
{
    [Fact]
    public async Task Memory_that_is_read_outlives_its_lease_until_the_reader_lets_go()
    {
        var options = new TensorLinkOptions { ClusterSecret = "s", SlabBytes = 1 << 20 };
        await using TensorLinkEndpoint producer = new(options, TimeProvider.System), consumer = new(options, TimeProvider.System);
        using Tensor tensor = Tensor.Ones([1000]);
        TensorRef reference = producer.Publish("r", tensor);
        PulledTensor pulled = await consumer.PullAsync(reference, TestContext.Current.CancellationToken);
        producer.Release("r");
        Assert.Equal(4000, producer.LeasedBytes);
        Assert.Equal(1, pulled.Tensor.ToArray<float>()[999]);
        await consumer.DisposeAsync(); // as a kill would: its pins end with its connection
        await Eventually.TrueAsync(() => producer.LeasedBytes == 0, "the reader's pin never ended");
    }

    [Fact]
    public async Task What_is_read_stays_where_it_is_when_another_pull_breaks_the_connection()
    {
        var options = new TensorLinkOptions { ClusterSecret = "s", SlabBytes = 1 << 20 };
        await using TensorLinkEndpoint producer = new(options, TimeProvider.System), consumer = new(options, TimeProvider.System);
        using Tensor tensor = Tensor.Ones([1000]), other = Tensor.Zeros([1000]);
        PulledTensor read = await consumer.PullAsync(producer.Publish("r", tensor), TestContext.Current.CancellationToken);
        TensorRef wrong = producer.Publish("other", other) with { Shape = [10, 100] };
        await Assert.ThrowsAsync<MmException>(() => consumer.PullAsync(wrong, TestContext.Current.CancellationToken));
        producer.Release("r");
        // The next connection is served: whatever the last one's end does has been done.
        using (await consumer.PullAsync(producer.Publish("next", other), TestContext.Current.CancellationToken))
        {
            producer.Release("other");
            producer.Release("next");
            Assert.Equal(12000, producer.LeasedBytes); // what was asked for wrongly stays with the broken connection, too
            Assert.Equal(1, read.Tensor.ToArray<float>()[999]);
        }
        read.Dispose();
        await Eventually.TrueAsync(() => producer.LeasedBytes == 0, "a pin never ended");
    }

    [Fact]
    public async Task The_memory_of_a_process_that_is_gone_is_not_kept()
    {
        var options = new TensorLinkOptions { ClusterSecret = "s", SlabBytes = 1 << 20 };
        await using TensorLinkEndpoint consumer = new(options, TimeProvider.System);
        TensorLinkEndpoint producer = new(options, TimeProvider.System);
        using Tensor tensor = Tensor.Ones([1000]);
        (await consumer.PullAsync(producer.Publish("r", tensor), TestContext.Current.CancellationToken)).Dispose();
        Assert.Equal(1, consumer.Peers);
        await producer.DisposeAsync();
        await Eventually.TrueAsync(() => consumer.Peers == 0, "it is kept");
    }
}

public sealed class StreamLinkTests() : TensorLinkTests(shareMemory: false)
{
    [Fact]
    public async Task A_peer_that_stops_in_the_middle_is_unavailable_after_the_timeout()
    {
        ManualTime time = new();
        await using TensorLinkEndpoint consumer = new(new TensorLinkOptions { ClusterSecret = "s", SlabBytes = 1 << 20, ShareMemory = false }, time);
        // Takes connections and says nothing, as a machine that has just vanished.
        using var silent = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        silent.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        silent.Listen();
        LinkAddress address = consumer.Address with { Incarnation = Guid.NewGuid(), Port = ((System.Net.IPEndPoint)silent.LocalEndPoint!).Port };
        Task<PulledTensor> pull = consumer.PullAsync(new TensorRef(address, 1, DType.F32, [4], 16, default), TestContext.Current.CancellationToken);
        await Eventually.TrueAsync(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(11));
                return pull.IsCompleted;
            },
            "it waits for ever");
        MmException error = await Assert.ThrowsAsync<MmException>(() => pull);
        Assert.Equal(MmErrorCode.Unavailable, error.Code);
    }
}
