using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Hosting;
using Orleans.Hosting;
using Orleans.Runtime.Net;
using Orleans.Serialization;

namespace MmCluster.Embedded.Orleans.Tests;

/// <summary>What a silo does with peers that do not speak as they should.</summary>
public sealed class WireTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly int _siloPort = FreePort();
    private readonly int _gatewayPort = FreePort();
    private IHost? _host;

    public async ValueTask InitializeAsync()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.UseOrleans(silo => silo.UseLocalhostClustering(_siloPort, _gatewayPort, clusterId: "wire"));
        _host = builder.Build();
        await _host.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _host!.StopAsync();
        _host.Dispose();
    }

    [Fact]
    public async Task A_greeting_with_the_wrong_magic_is_cut_off() =>
        Assert.Empty(await TalkAsync(Frame(1, "HTTP"u8.ToArray())));

    [Fact]
    public async Task An_endless_greeting_is_cut_off()
    {
        byte[] length = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(length, 1 << 20);
        Assert.Empty(await TalkAsync(length));
    }

    [Fact]
    public async Task Another_cluster_is_refused() =>
        Assert.Contains("not 'other'", Encoding.UTF8.GetString(await TalkAsync(Hello("other", Guid.NewGuid()))), StringComparison.Ordinal);

    [Theory]
    [InlineData(uint.MaxValue)]
    [InlineData(0u)]
    public async Task A_length_that_lies_ends_the_connection(uint length)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, length);
        await TalkAsync([.. Hello("wire", Guid.NewGuid()), .. bytes]);
    }

    [Fact]
    public async Task An_unknown_frame_ends_the_connection() => await TalkAsync([.. Hello("wire", Guid.NewGuid()), .. Frame(99, [1, 2, 3])]);

    [Fact]
    public async Task An_unknown_method_is_answered_with_an_error()
    {
        byte[] request = Frame(3, [0, 7, 100, 0, 1, (byte)'t', 1, (byte)'k', 1, 2, 3, 4, 5, 6, 7, 8]);
        using Socket socket = await ConnectAsync();
        await socket.SendAsync((byte[])[.. Hello("wire", Guid.NewGuid()), .. request]);
        byte[] buffer = new byte[4096];
        StringBuilder received = new();
        while (!received.ToString().Contains("No method", StringComparison.Ordinal))
        {
            int count = await socket.ReceiveAsync(buffer, SocketFlags.None).WaitAsync(Patience, TestContext.Current.CancellationToken);
            Assert.NotEqual(0, count);
            received.Append(Encoding.UTF8.GetString(buffer, 0, count));
        }
    }

    // Sends, then reads until the silo closes; a silo that does not is a failure.
    private async Task<byte[]> TalkAsync(byte[] bytes)
    {
        using Socket socket = await ConnectAsync();
        await socket.SendAsync(bytes);
        using MemoryStream received = new();
        byte[] buffer = new byte[4096];
        try
        {
            int count;
            while ((count = await socket.ReceiveAsync(buffer, SocketFlags.None).WaitAsync(Patience, TestContext.Current.CancellationToken)) > 0)
            {
                received.Write(buffer, 0, count);
            }
        }
        catch (SocketException)
        {
            // A reset is an end too.
        }
        return received.ToArray();
    }

    private async Task<Socket> ConnectAsync()
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, _gatewayPort));
        return socket;
    }

    private static byte[] Hello(string cluster, Guid client)
    {
        MessageWriter writer = MessageWriter.Rent();
        new Hello(cluster, null, client, null).Write(writer);
        byte[] bytes = Connection.Finish(writer);
        writer.Return();
        return bytes;
    }

    private static byte[] Frame(byte type, byte[] payload)
    {
        byte[] frame = new byte[payload.Length + 5];
        BinaryPrimitives.WriteUInt32LittleEndian(frame, (uint)payload.Length + 1);
        frame[4] = type;
        payload.CopyTo(frame, 5);
        return frame;
    }

    private static int FreePort()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
