using System.Net.Sockets;
using System.Text;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.TensorLink.Channels;
using MmCluster.Cluster.TensorLink.Memory;
using MmCluster.Cluster.TensorLink.Native;
using MmCluster.Cluster.TensorLink.Wire;
using MmCluster.Engine.Pipeline;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.TensorLink;

/// <summary>Who holds a device's memory for a channel's rows, and what happens where it cannot be shared.</summary>
public sealed class DeviceLeaseTests
{
    private static readonly ChannelShape Shape = new(Frames: 2, Rows: 16, Width: 64);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Channels_of_a_device_lie_in_one_slab_until_they_outgrow_it()
    {
        FakeDeviceSlabs slabs = new();
        await using TensorLinkEndpoint sender = Endpoint(slabs, slabBytes: 3 * Shape.MemoryBytes), receiver = Endpoint(new FakeDeviceSlabs());
        List<Channel> channels = [];
        for (int i = 0; i < 4; i++)
        {
            channels.Add(await OpenAsync(sender, receiver));
            Assert.True(channels[i].Writer.IsOnDevice && channels[i].Reader.IsOnDevice);
            Assert.Equal((i + 1) * Shape.MemoryBytes, sender.DeviceLeasedBytes);
            Assert.Equal(i < 3 ? 1 : 2, slabs.Created);
        }
        foreach (Channel channel in channels)
        {
            Pass(channel, channels.IndexOf(channel));
        }
        channels[1].Writer.Dispose();
        channels[2].Reader.Dispose();
        await channels[2].Writer.Closed.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        Assert.Equal(2 * Shape.MemoryBytes, sender.DeviceLeasedBytes);
        Pass(await OpenAsync(sender, receiver), 9);
        Assert.Equal(2, slabs.Created);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_frame_that_is_being_filled_when_its_channel_breaks_stays_leased_until_its_user_is_done(bool wouldSend)
    {
        FakeDeviceSlabs slabs = new();
        await using TensorLinkEndpoint sender = Endpoint(slabs), receiver = Endpoint(new FakeDeviceSlabs());
        Channel channel = await OpenAsync(sender, receiver);
        channel.Writer.Begin();
        channel.Reader.Dispose();
        await channel.Writer.Closed.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        Assert.Equal(Shape.MemoryBytes, sender.DeviceLeasedBytes);
        Assert.Equal(1, slabs.Mapped);
        if (wouldSend)
        {
            Assert.Throws<MmException>(channel.Writer.Send);
        }
        else
        {
            channel.Writer.Drop();
        }
        Assert.Equal(0, sender.DeviceLeasedBytes);
        Assert.Equal(0, slabs.Mapped);
    }

    [Fact]
    public async Task A_frame_that_is_being_read_when_its_channel_breaks_stays_mapped_until_its_user_is_done()
    {
        FakeDeviceSlabs mappings = new();
        await using TensorLinkEndpoint sender = Endpoint(new FakeDeviceSlabs()), receiver = Endpoint(mappings);
        Channel channel = await OpenAsync(sender, receiver);
        channel.Writer.Begin();
        channel.Writer.Send();
        channel.Reader.Receive();
        channel.Writer.Dispose();
        await channel.Reader.Closed.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        Assert.False(channel.Reader.IsOpen);
        Assert.Equal(0, sender.DeviceLeasedBytes);
        Assert.Equal(1, mappings.Mapped);
        channel.Reader.Release();
        Assert.Equal(0, mappings.Mapped);
    }

    [Fact]
    public async Task A_slab_goes_with_its_last_lease()
    {
        FakeDeviceSlabs slabs = new();
        await using TensorLinkEndpoint sender = Endpoint(slabs), receiver = Endpoint(new FakeDeviceSlabs());
        Channel first = await OpenAsync(sender, receiver), second = await OpenAsync(sender, receiver);
        first.Writer.Dispose();
        Assert.Equal(1, slabs.Mapped);
        second.Writer.Dispose();
        Assert.Equal(0, slabs.Mapped);
        Pass(await OpenAsync(sender, receiver), 5);
        Assert.Equal(2, slabs.Created);
    }

    [Fact]
    public async Task A_sender_that_fails_at_connecting_closes_the_channel_for_who_waits_at_it()
    {
        await using TensorLinkEndpoint receiver = Endpoint(new FakeDeviceSlabs());
        LinkShardReader reader = receiver.ExpectChannel(Shape, Device.Cpu);
        using (Socket liar = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            await liar.ConnectAsync(new UnixDomainSocketEndPoint(receiver.Address.UnixPath), Stop);
            await Handshake.CallAsync(liar, Encoding.UTF8.GetBytes("secret"), receiver.Address.Incarnation, Stop);
            _ = LibC.Close(await DescriptorPassing.ReceiveAsync(liar, Stop));
            byte[] message = new byte[LinkMessage.Size];
            // Its frames would begin within the slab and end behind it.
            new LinkMessage(LinkVerb.OpenDeviceChannel, reader.Ref.Id, Shape: [2, 16, 64], Bytes: Shape.MemoryBytes, Offset: 4096).Write(message);
            await liar.SendAllAsync(message, Stop);
            using var slab = SharedMemory.Create(Shape.MemoryBytes);
            DescriptorPassing.Send(liar, slab.Descriptor);
            await reader.Closed.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        }
        Assert.Contains("cannot be taken", Assert.Throws<MmException>(() => reader.Receive()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public async Task Where_either_end_cannot_share_rows_go_through_the_host(bool senderCan, bool receiverCan)
    {
        await using TensorLinkEndpoint sender = Endpoint(new FakeDeviceSlabs { CanCreate = senderCan }), receiver = Endpoint(new FakeDeviceSlabs { CanOpen = receiverCan });
        Channel channel = await OpenAsync(sender, receiver);
        Assert.False(channel.Writer.IsOnDevice || channel.Reader.IsOnDevice);
        Assert.Equal(0, sender.DeviceLeasedBytes);
        Pass(channel, 4);
    }

    [Fact]
    public async Task A_receiver_that_wants_rows_in_the_host_s_memory_gets_them_there()
    {
        await using TensorLinkEndpoint sender = Endpoint(new FakeDeviceSlabs()), receiver = Endpoint(new FakeDeviceSlabs());
        LinkShardReader reader = receiver.ExpectChannel(Shape);
        using LinkShardWriter writer = await sender.OpenChannelAsync(reader.Ref, Stop, Device.Cpu);
        await reader.Connected.WaitAsync(Stop);
        Assert.False(writer.IsOnDevice || reader.IsOnDevice);
        Pass(new Channel(writer, reader), 4);
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(-4096)]
    public async Task A_slab_of_another_size_than_was_said_costs_the_sender_its_channel(long lie)
    {
        await using TensorLinkEndpoint sender = Endpoint(new FakeDeviceSlabs { Lie = lie }, slabBytes: Shape.MemoryBytes), receiver = Endpoint(new FakeDeviceSlabs());
        LinkShardReader reader = receiver.ExpectChannel(Shape, Device.Cpu);
        LinkShardWriter? writer = null;
        Exception? refused = await Record.ExceptionAsync(async () => writer = await sender.OpenChannelAsync(reader.Ref, Stop, Device.Cpu));
        Assert.True(refused is MmException { Code: MmErrorCode.Unavailable } || writer is { IsOnDevice: false }, $"{refused}");
        Assert.Equal(0, sender.DeviceLeasedBytes);
        writer?.Dispose();
    }

    private static void Pass(Channel channel, int value)
    {
        ShardFrame frame = channel.Writer.Begin();
        frame.RowCount = 3;
        frame.Rows!.AsSpan<float>()[..(3 * Shape.Width)].Fill(value);
        channel.Writer.Send();
        Assert.All(channel.Reader.Receive().TakeRows()!.ToArray<float>(), row => Assert.Equal(value, row));
        channel.Reader.Release();
    }

    private static async Task<Channel> OpenAsync(TensorLinkEndpoint sender, TensorLinkEndpoint receiver)
    {
        LinkShardReader reader = receiver.ExpectChannel(Shape, Device.Cpu);
        LinkShardWriter writer = await sender.OpenChannelAsync(reader.Ref, Stop, Device.Cpu);
        await reader.Connected.WaitAsync(Stop);
        return new Channel(writer, reader);
    }

    private static TensorLinkEndpoint Endpoint(FakeDeviceSlabs slabs, long slabBytes = 1 << 20) => new(
        new TensorLinkOptions { ClusterSecret = "secret", SlabBytes = 1 << 20, DeviceSlabs = slabs, DeviceSlabBytes = slabBytes }, TimeProvider.System);

    private sealed record Channel(LinkShardWriter Writer, LinkShardReader Reader);
}
