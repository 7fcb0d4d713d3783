using System.Net.Sockets;
using MmCluster.Cluster.TensorLink;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.TensorLink;

/// <summary>What a peer does wrong costs it its connection and nobody else anything.</summary>
public sealed class HostilePeerTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Noise_instead_of_a_greeting_closes_the_connection()
    {
        await using TensorLinkEndpoint endpoint = Endpoint(TimeProvider.System);
        var random = new Random(3);
        for (int i = 0; i < 50; i++)
        {
            using Socket socket = await ConnectAsync(endpoint);
            byte[] noise = new byte[200];
            random.NextBytes(noise);
            await socket.SendAsync(noise, Stop);
            await ReadToEndAsync(socket);
        }
        await AssertServesAsync(endpoint);
    }

    [Fact]
    public async Task A_silent_peer_is_dropped_after_the_timeout()
    {
        var time = new ManualTime();
        await using TensorLinkEndpoint endpoint = Endpoint(time);
        using Socket socket = await ConnectAsync(endpoint);
        await Eventually.TrueAsync(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(11));
                return socket.Poll(0, SelectMode.SelectRead);
            },
            "the silent connection was kept");
        await ReadToEndAsync(socket);
    }

    [Fact]
    public async Task Two_hundred_connections_that_say_nothing_do_not_stop_the_next_pull()
    {
        await using TensorLinkEndpoint endpoint = Endpoint(TimeProvider.System);
        List<Socket> idle = [];
        for (int i = 0; i < 200; i++)
        {
            idle.Add(await ConnectAsync(endpoint));
        }
        await AssertServesAsync(endpoint);
        idle.ForEach(socket => socket.Dispose());
    }

    private static async Task AssertServesAsync(TensorLinkEndpoint endpoint)
    {
        await using TensorLinkEndpoint consumer = Endpoint(TimeProvider.System);
        using Tensor tensor = Tensor.Ones([4]);
        using PulledTensor pulled = await consumer.PullAsync(endpoint.Publish("r", tensor), Stop);
        Assert.Equal(4, pulled.Tensor.ElementCount);
    }

    private static TensorLinkEndpoint Endpoint(TimeProvider time) =>
        new(new TensorLinkOptions { ClusterSecret = "s", SlabBytes = 1 << 20, ShareMemory = false }, time);

    private static async Task<Socket> ConnectAsync(TensorLinkEndpoint endpoint)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(endpoint.Address.Host, endpoint.Address.Port, Stop);
        return socket;
    }

    private static async Task ReadToEndAsync(Socket socket)
    {
        byte[] buffer = new byte[1024];
        try
        {
            while (await socket.ReceiveAsync(buffer, Stop) > 0)
            {
            }
        }
        catch (SocketException)
        {
            // A reset is an end too.
        }
    }
}
