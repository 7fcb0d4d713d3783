using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MmCluster.Cluster.TensorLink.Memory;
using MmCluster.Cluster.TensorLink.Native;
using MmCluster.Cluster.TensorLink.Wire;
using MmCluster.Engine.Pipeline;
using MmCluster.Models;

namespace MmCluster.Cluster.TensorLink.Channels;

/// <summary>The sending end of a channel between silos. On one machine the rows are written where the peer reads them; to another they are sent.</summary>
public sealed class LinkShardWriter : ChannelEnd, IShardWriter
{
    private readonly ShardFrame[] _frames;
    private readonly bool _shared;
    private readonly byte[] _head = new byte[ChannelHead.Size];
    private readonly byte[] _credit = new byte[ChannelHead.CreditSize];
    private long _sent;
    private long _released;

    private LinkShardWriter(Socket socket, ChannelShape shape, SharedMemory? memory)
        : base(shape)
    {
        _shared = memory is not null;
        _frames = memory is null ? ChannelFrames.Own(shape) : ChannelFrames.Shared(shape, memory, readOnly: false);
        Attach(socket, "channel-credits");
    }

    /// <inheritdoc/>
    public ShardFrame Begin()
    {
        lock (Gate)
        {
            while (_sent - _released == _frames.Length && !IsClosed)
            {
                Monitor.Wait(Gate);
            }
            ThrowIfClosed();
        }
        ShardFrame frame = _frames[_sent % _frames.Length];
        frame.Clear();
        return frame;
    }

    /// <inheritdoc/>
    public void Send()
    {
        ShardFrame frame = _frames[_sent % _frames.Length];
        if (frame.Header.WrittenCount > ChannelShape.MaxHeaderBytes)
        {
            throw new MmException(MmErrorCode.Internal, $"tensor link: a header of {frame.Header.WrittenCount} bytes; a channel takes {ChannelShape.MaxHeaderBytes}");
        }
        long number;
        lock (Gate)
        {
            ThrowIfClosed();
            number = _sent++;
        }
        new ChannelHead(number, frame.Header.WrittenCount, frame.RowCount).Write(_head);
        SendAll(_head);
        SendAll(frame.Header.WrittenSpan);
        if (!_shared && frame.RowCount > 0)
        {
            SendAll(MemoryMarshal.AsBytes(frame.Rows!.AsReadOnlySpan<float>())[..(int)frame.RowBytes]);
        }
    }

    /// <summary>Connects to the receiving end.</summary>
    internal static async Task<LinkShardWriter> ConnectAsync(ChannelRef to, bool share, byte[] secret, CancellationToken cancellationToken)
    {
        ChannelShape shape = to.Shape.Checked();
        EndPoint address = share ? new UnixDomainSocketEndPoint(to.Owner.UnixPath) : new IPEndPoint(IPAddress.Parse(to.Owner.Host), to.Owner.Port);
        var socket = share
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address, cancellationToken);
            await Handshake.CallAsync(socket, secret, to.Owner.Incarnation, cancellationToken);
            if (share)
            {
                // The listener offers its slab on this socket first; a channel has memory of its own.
                _ = LibC.Close(await DescriptorPassing.ReceiveAsync(socket, cancellationToken));
            }
            byte[] message = new byte[LinkMessage.Size];
            new LinkMessage(LinkVerb.OpenChannel, to.Id, Shape: [shape.Frames, shape.Rows, shape.Width]).Write(message);
            await socket.SendAllAsync(message, cancellationToken);
            await socket.ReceiveAllAsync(message, cancellationToken);
            if (LinkMessage.Read(message) is not { Verb: LinkVerb.Channel } answer || answer.Id != to.Id)
            {
                throw new InvalidDataException($"tensor link: nobody waits for channel {to.Id} of {shape}");
            }
            return new LinkShardWriter(socket, shape, share && shape.Rows > 0 ? Offer(socket, shape) : null);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private protected override void ReadOne()
    {
        ReceiveAll(_credit);
        long released = BinaryPrimitives.ReadInt64LittleEndian(_credit);
        lock (Gate)
        {
            if (released <= _released || released > _sent)
            {
                throw new InvalidDataException($"it gave {released} messages back of {_sent}, {_released} before");
            }
            _released = released;
            Monitor.PulseAll(Gate);
        }
    }

    private static SharedMemory Offer(Socket socket, ChannelShape shape)
    {
        var memory = SharedMemory.Create(shape.MemoryBytes);
        DescriptorPassing.Send(socket, memory.Descriptor);
        return memory;
    }
}
