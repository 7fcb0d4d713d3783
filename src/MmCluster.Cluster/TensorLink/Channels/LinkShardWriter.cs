using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MmCluster.Cluster.TensorLink.Memory;
using MmCluster.Cluster.TensorLink.Native;
using MmCluster.Cluster.TensorLink.Wire;
using MmCluster.Engine.Pipeline;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.TensorLink.Channels;

/// <summary>
/// The sending end of a channel between silos. On one machine the rows are written where the peer reads them, on the sender's GPU where both ends have one; to another
/// machine they are sent.
/// </summary>
public sealed class LinkShardWriter : ChannelEnd, IShardWriter
{
    private readonly ShardFrame[] _frames;
    private readonly bool _shared;
    private readonly DeviceLease? _lease;
    private readonly byte[] _head = new byte[ChannelHead.Size];
    private readonly byte[] _credit = new byte[ChannelHead.CreditSize];
    private long _sent;
    private long _released;

    private LinkShardWriter(Socket socket, ChannelShape shape, ShardFrame[] frames, bool shared, DeviceLease? lease = null)
        : base(shape)
    {
        (_frames, _shared, _lease) = (frames, shared, lease);
        Attach(socket, "channel-credits");
    }

    /// <summary>Whether rows stay on a GPU.</summary>
    public bool IsOnDevice => _lease is not null;

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
            Hold();
        }
        ShardFrame frame = _frames[_sent % _frames.Length];
        frame.Clear();
        return frame;
    }

    /// <inheritdoc/>
    public void Send()
    {
        Drop();
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

    /// <inheritdoc/>
    public void Drop()
    {
        lock (Gate)
        {
            LetGo();
        }
    }

    /// <summary>Connects to the receiving end.</summary>
    /// <param name="to">The receiving end.</param>
    /// <param name="share">Whether it is on this machine.</param>
    /// <param name="secret">The cluster's.</param>
    /// <param name="lease">Memory of a GPU for the frames, which the channel then owns; null for the host's.</param>
    /// <param name="cancellationToken">Gives up.</param>
    internal static async Task<LinkShardWriter> ConnectAsync(ChannelRef to, bool share, byte[] secret, DeviceLease? lease, CancellationToken cancellationToken)
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
            Shape sizes = [shape.Frames, shape.Rows, shape.Width];
            byte[] message = new byte[LinkMessage.Size];
            (lease is null
                ? new LinkMessage(LinkVerb.OpenChannel, to.Id, Shape: sizes)
                : new LinkMessage(LinkVerb.OpenDeviceChannel, to.Id, Shape: sizes, Bytes: lease.Slab.Bytes, Offset: lease.Offset)).Write(message);
            await socket.SendAllAsync(message, cancellationToken);
            if (!await IsTakenAsync(socket, to, message, cancellationToken))
            {
                throw new InvalidDataException($"tensor link: nobody waits for channel {to.Id} of {shape}");
            }
            if (lease is not null)
            {
                DescriptorPassing.Send(socket, lease.Slab.Descriptor);
                if (await IsTakenAsync(socket, to, message, cancellationToken))
                {
                    return new LinkShardWriter(socket, shape, ChannelFrames.OnDevice(shape, lease.Slab, lease.Offset), shared: true, lease);
                }
                lease.Dispose();
            }
            return share && shape.Rows > 0
                ? new LinkShardWriter(socket, shape, ChannelFrames.Shared(shape, Offer(socket, shape), readOnly: false), shared: true)
                : new LinkShardWriter(socket, shape, ChannelFrames.Own(shape), shared: false);
        }
        catch
        {
            lease?.Dispose();
            socket.Dispose();
            throw;
        }
    }

    private protected override void Free() => _lease?.Dispose();

    private static async Task<bool> IsTakenAsync(Socket socket, ChannelRef to, byte[] message, CancellationToken cancellationToken)
    {
        await socket.ReceiveAllAsync(message, cancellationToken);
        return LinkMessage.Read(message) is { Verb: LinkVerb.Channel } answer && answer.Id == to.Id;
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
