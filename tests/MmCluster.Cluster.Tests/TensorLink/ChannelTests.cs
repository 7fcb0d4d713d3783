using System.Buffers;
using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.TensorLink.Channels;
using MmCluster.Cluster.TensorLink.Memory;
using MmCluster.Engine.Pipeline;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Tests.TensorLink;

/// <summary>One body for shared memory, a device's memory and TCP: a channel between two endpoints that take each other for other processes.</summary>
public abstract class ChannelTests(bool shareMemory, bool onDevice = false)
{
    private const int Width = 1000;

    private static readonly ChannelShape Shape = new(Frames: 3, Rows: 64, Width);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Messages_arrive_whole_and_in_order()
    {
        await using TensorLinkEndpoint sender = Endpoint(), receiver = Endpoint();
        (LinkShardWriter writer, LinkShardReader reader) = await OpenAsync(sender, receiver, Shape);
        Task sending = Task.Factory.StartNew(() =>
        {
            for (int i = 0; i < 200; i++)
            {
                Send(writer, i, rows: i % 65, headerBytes: i * 37);
            }
        }, Stop, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        for (int i = 0; i < 200; i++)
        {
            ShardFrame frame = reader.Receive();
            Assert.Equal(i % 65, frame.RowCount);
            Assert.Equal(Enumerable.Range(0, i * 37).Select(at => (byte)(at + i)), frame.Header.WrittenSpan.ToArray());
            Assert.All(frame.TakeRows()?.ToArray<float>() ?? [], value => Assert.Equal(i, value));
            reader.Release();
        }
        await sending;
    }

    [Fact]
    public async Task No_more_is_in_flight_than_there_are_frames()
    {
        await using TensorLinkEndpoint sender = Endpoint(), receiver = Endpoint();
        (LinkShardWriter writer, LinkShardReader reader) = await OpenAsync(sender, receiver, Shape);
        for (int i = 0; i < 3; i++)
        {
            Send(writer, i, rows: 1, headerBytes: 1);
        }
        Task<ShardFrame> fourth = Task.Factory.StartNew(writer.Begin, Stop, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        for (int i = 0; i < 3; i++)
        {
            // What the reader has not given back is not written over.
            Assert.Equal(i, reader.Receive().TakeRows()!.ToArray<float>()[0]);
            Assert.True(i > 0 || !fourth.IsCompleted);
            reader.Release();
        }
        await fourth.WaitAsync(TimeSpan.FromSeconds(20), Stop);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_break_is_an_error_at_both_ends(bool byTheWriter)
    {
        await using TensorLinkEndpoint sender = Endpoint(), receiver = Endpoint();
        (LinkShardWriter writer, LinkShardReader reader) = await OpenAsync(sender, receiver, Shape);
        Task<MmException> waiting = Task.Factory.StartNew(
            () => Assert.Throws<MmException>(() => reader.Receive()), Stop, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        ((IDisposable)(byTheWriter ? writer : reader)).Dispose();
        await Task.WhenAll(writer.Closed, reader.Closed).WaitAsync(TimeSpan.FromSeconds(20), Stop);
        Assert.Equal(MmErrorCode.Unavailable, (await waiting).Code);
        Assert.Equal(MmErrorCode.Unavailable, Assert.Throws<MmException>(() => writer.Begin()).Code);
    }

    [Fact]
    public async Task A_silo_that_stops_breaks_its_channels()
    {
        await using TensorLinkEndpoint sender = Endpoint();
        TensorLinkEndpoint receiver = Endpoint();
        (LinkShardWriter writer, LinkShardReader reader) = await OpenAsync(sender, receiver, Shape);
        LinkShardReader lonely = receiver.ExpectChannel(Shape);
        await receiver.DisposeAsync();
        await Task.WhenAll(writer.Closed, reader.Closed, lonely.Closed).WaitAsync(TimeSpan.FromSeconds(20), Stop);
    }

    [Fact]
    public async Task A_channel_is_opened_once_and_in_its_shape_only()
    {
        await using TensorLinkEndpoint sender = Endpoint(), receiver = Endpoint();
        LinkShardReader reader = receiver.ExpectChannel(Shape);
        await RefusedAsync(sender, reader.Ref with { Shape = Shape with { Rows = 65 } });
        await RefusedAsync(sender, reader.Ref with { Id = reader.Ref.Id + 1 });
        using LinkShardWriter writer = await sender.OpenChannelAsync(reader.Ref, Stop);
        await RefusedAsync(sender, reader.Ref);
        Send(writer, 5, rows: 2, headerBytes: 3);
        Assert.Equal(2, reader.Receive().RowCount);
    }

    [Fact]
    public void A_head_that_does_not_fit_is_refused()
    {
        byte[] bytes = new byte[ChannelHead.Size];
        new ChannelHead(7, 10, 64).Write(bytes);
        Assert.Equal(new ChannelHead(7, 10, 64), ChannelHead.Read(bytes, 7, Shape));
        foreach (ChannelHead bad in (ChannelHead[])[new(8, 10, 64), new(7, -1, 64), new(7, ChannelShape.MaxHeaderBytes + 1, 1), new(7, 10, 65), new(7, 10, -1)])
        {
            bad.Write(bytes);
            Assert.Throws<InvalidDataException>(() => ChannelHead.Read(bytes, 7, Shape));
        }
    }

    private static async Task RefusedAsync(TensorLinkEndpoint sender, ChannelRef to) =>
        Assert.Equal(MmErrorCode.Unavailable, (await Assert.ThrowsAsync<MmException>(() => sender.OpenChannelAsync(to, Stop))).Code);

    private static void Send(LinkShardWriter writer, int value, int rows, int headerBytes)
    {
        ShardFrame frame = writer.Begin();
        frame.Header.Write([.. Enumerable.Range(0, headerBytes).Select(at => (byte)(at + value))]);
        frame.RowCount = rows;
        frame.Rows!.AsSpan<float>()[..(rows * Width)].Fill(value);
        writer.Send();
    }

    private static async Task<(LinkShardWriter Writer, LinkShardReader Reader)> OpenAsync(TensorLinkEndpoint sender, TensorLinkEndpoint receiver, ChannelShape shape)
    {
        LinkShardReader reader = receiver.ExpectChannel(shape, Device.Cpu);
        LinkShardWriter writer = await sender.OpenChannelAsync(reader.Ref, Stop, Device.Cpu);
        await reader.Connected.WaitAsync(Stop);
        return (writer, reader);
    }

    private TensorLinkEndpoint Endpoint() => new(
        new TensorLinkOptions
        {
            ClusterSecret = "secret",
            SlabBytes = 1 << 20,
            ShareMemory = shareMemory,
            DeviceSlabs = onDevice ? new FakeDeviceSlabs() : new GpuSlabs(),
        },
        TimeProvider.System);
}

public sealed class SharedChannelTests() : ChannelTests(shareMemory: true);

public sealed class TcpChannelTests() : ChannelTests(shareMemory: false);

public sealed class DeviceChannelTests() : ChannelTests(shareMemory: true, onDevice: true);
