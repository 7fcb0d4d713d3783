using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MmCluster.Cluster.TensorLink.Memory;
using MmCluster.Cluster.TensorLink.Native;
using MmCluster.Cluster.TensorLink.Wire;
using MmCluster.Engine.Pipeline;
using MmCluster.Tensors;

namespace MmCluster.Cluster.TensorLink.Channels;

/// <summary>
/// The receiving end of a channel between silos. A thread takes messages in as they come, as far as there are frames, so that the next step's rows arrive while this
/// one's are computed.
/// </summary>
public sealed class LinkShardReader : ChannelEnd, IShardReader
{
    private readonly Device? _device;
    private readonly TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly byte[] _head = new byte[ChannelHead.Size];
    private readonly byte[] _credit = new byte[ChannelHead.CreditSize];
    private ShardFrame[] _frames = [];
    private DeviceSlab? _mapping;
    private bool _shared;
    private long _arrived;
    private long _released;

    internal LinkShardReader(LinkAddress owner, long id, ChannelShape shape, Device? device)
        : base(shape)
    {
        _device = device;
        Ref = new ChannelRef(owner, id, shape) { TakesDeviceRows = device is not null && shape.Rows > 0 };
    }

    /// <summary>Whether rows are read from a GPU.</summary>
    public bool IsOnDevice => _mapping is not null;

    /// <summary>What the sender needs to connect.</summary>
    public ChannelRef Ref { get; }

    /// <summary>Completes when the sender has connected.</summary>
    public Task Connected => _connected.Task;

    /// <inheritdoc/>
    public bool IsOpen
    {
        get
        {
            lock (Gate)
            {
                return !IsClosed;
            }
        }
    }

    /// <inheritdoc/>
    public ShardFrame Receive()
    {
        lock (Gate)
        {
            while (_arrived == _released && !IsClosed)
            {
                Monitor.Wait(Gate);
            }
            ThrowIfClosed();
            Hold();
            return _frames[_released % _frames.Length];
        }
    }

    /// <inheritdoc/>
    public void Release()
    {
        lock (Gate)
        {
            _released++;
            LetGo();
        }
        BinaryPrimitives.WriteInt64LittleEndian(_credit, _released);
        try
        {
            SendAll(_credit);
        }
        catch (Models.MmException)
        {
            // The next Receive tells.
        }
    }

    /// <summary>Takes over a connection whose sender asks for this channel, until it is closed. A sender that fails at connecting closes it: nobody else may come.</summary>
    internal async Task ServeAsync(Socket socket, LinkMessage asked, bool share, IDeviceSlabs slabs, CancellationToken cancellationToken)
    {
        try
        {
            _shared = share && Shape.Rows > 0;
            _frames = await AgreeAsync(socket, asked, slabs, cancellationToken);
            Attach(socket, "channel-in");
        }
        catch (Exception error)
        {
            Close(error.Message);
            throw;
        }
        _connected.TrySetResult();
        await using CancellationTokenRegistration stop = cancellationToken.Register(Dispose);
        await Closed;
    }

    private protected override void Free() => _mapping?.Dispose();

    // The frames that both ends use.
    private async Task<ShardFrame[]> AgreeAsync(Socket socket, LinkMessage asked, IDeviceSlabs slabs, CancellationToken cancellationToken)
    {
        await AnswerAsync(socket, LinkVerb.Channel, cancellationToken);
        if (asked.Verb == LinkVerb.OpenDeviceChannel)
        {
            ShardFrame[]? frames = TryMap(await DescriptorPassing.ReceiveAsync(socket, cancellationToken), asked, slabs);
            await AnswerAsync(socket, frames is null ? LinkVerb.Gone : LinkVerb.Channel, cancellationToken);
            if (frames is not null)
            {
                return frames;
            }
        }
        return _shared
            ? ChannelFrames.Shared(Shape, SharedMemory.Open(await DescriptorPassing.ReceiveAsync(socket, cancellationToken), Shape.MemoryBytes), readOnly: true)
            : ChannelFrames.Own(Shape);
    }

    private async Task AnswerAsync(Socket socket, LinkVerb verb, CancellationToken cancellationToken)
    {
        byte[] message = new byte[LinkMessage.Size];
        new LinkMessage(verb, Ref.Id).Write(message);
        await socket.SendAllAsync(message, cancellationToken);
    }

    private ShardFrame[]? TryMap(int descriptor, LinkMessage asked, IDeviceSlabs slabs)
    {
        if (_device is null || Shape.Rows == 0 || asked.Offset < 0 || asked.Bytes < Shape.MemoryBytes || asked.Offset > asked.Bytes - Shape.MemoryBytes)
        {
            _ = LibC.Close(descriptor);
            throw new InvalidDataException($"tensor link: frames of {Shape} at {asked.Offset} of a device's slab of {asked.Bytes} bytes cannot be taken");
        }
        try
        {
            _mapping = slabs.Open(_device, descriptor, asked.Bytes);
        }
        catch (NotSupportedException)
        {
            return null; // another GPU that this one cannot reach: through the host
        }
        return ChannelFrames.OnDevice(Shape, _mapping, asked.Offset);
    }

    private protected override void ReadOne()
    {
        ReceiveAll(_head);
        var head = ChannelHead.Read(_head, _arrived, Shape);
        lock (Gate)
        {
            if (_arrived - _released == _frames.Length)
            {
                throw new InvalidDataException("it sent more than it had credits for");
            }
        }
        ShardFrame frame = _frames[_arrived % _frames.Length];
        frame.Clear();
        ReceiveAll(frame.Header.GetSpan(Math.Max(head.HeaderBytes, 1))[..head.HeaderBytes]);
        frame.Header.Advance(head.HeaderBytes);
        frame.RowCount = head.Rows;
        if (!_shared && head.Rows > 0)
        {
            ReceiveAll(MemoryMarshal.AsBytes(frame.Rows!.AsSpan<float>())[..(int)frame.RowBytes]);
        }
        lock (Gate)
        {
            _arrived++;
            Monitor.PulseAll(Gate);
        }
    }
}
