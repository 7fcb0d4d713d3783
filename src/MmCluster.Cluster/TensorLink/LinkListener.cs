using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using MmCluster.Cluster.TensorLink.Channels;
using MmCluster.Cluster.TensorLink.Memory;
using MmCluster.Cluster.TensorLink.Native;
using MmCluster.Cluster.TensorLink.Wire;

namespace MmCluster.Cluster.TensorLink;

/// <summary>Serves this silo's leases: over a unix socket by telling where they lie in the slab, over TCP by sending their bytes.</summary>
internal sealed class LinkListener : IAsyncDisposable
{
    private readonly LeaseRegistry _leases;
    private readonly ConcurrentDictionary<long, LinkShardReader> _channels;
    private readonly SharedSlab _slab;
    private readonly TensorLinkOptions _options;
    private readonly byte[] _secret;
    private readonly Guid _incarnation;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _slots;
    private readonly Socket _unix = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Socket _tcp;
    private readonly Task _accepting;

    public LinkListener(
        LeaseRegistry leases, ConcurrentDictionary<long, LinkShardReader> channels, SharedSlab slab, TensorLinkOptions options, byte[] secret, Guid incarnation, TimeProvider time)
    {
        _channels = channels;
        (_leases, _slab, _options, _secret, _incarnation, _time) = (leases, slab, options, secret, incarnation, time);
        _slots = new SemaphoreSlim(options.MaxConnections);
        // An abstract name: it needs no file, so a kill leaves none behind.
        UnixPath = $"\0mm-link-{incarnation:N}";
        var address = new IPEndPoint(IPAddress.Parse(options.Host), options.Port);
        _tcp = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        _unix.Bind(new UnixDomainSocketEndPoint(UnixPath));
        _unix.Listen();
        _tcp.Bind(address);
        _tcp.Listen();
        Port = ((IPEndPoint)_tcp.LocalEndPoint!).Port;
        _accepting = Task.WhenAll(AcceptAsync(_unix, ServeSharedAsync), AcceptAsync(_tcp, ServeBytesAsync));
    }

    public string UnixPath { get; }

    public int Port { get; }

    /// <summary>Connections being served.</summary>
    public int Connections => _options.MaxConnections - _slots.CurrentCount;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _unix.Dispose();
        _tcp.Dispose();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync(Socket listener, Func<Socket, CancellationToken, Task> serve)
    {
        var serving = new List<Task>();
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await _slots.WaitAsync(_stop.Token);
                Socket peer = await listener.AcceptAsync(_stop.Token);
                serving.RemoveAll(task => task.IsCompleted);
                serving.Add(ServeAsync(peer, serve));
            }
            catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // Stopping, or a peer that went away between connecting and being accepted.
                if (!_stop.IsCancellationRequested)
                {
                    _slots.Release();
                }
            }
        }
        await Task.WhenAll(serving);
    }

    // Whatever a peer does wrong costs it its connection and nobody else anything.
    private async Task ServeAsync(Socket peer, Func<Socket, CancellationToken, Task> serve)
    {
        try
        {
            await serve(peer, _stop.Token);
        }
        catch (Exception error) when (error is IOException or InvalidDataException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
        }
        finally
        {
            peer.Dispose();
            _slots.Release();
        }
    }

    private async Task ServeSharedAsync(Socket peer, CancellationToken cancellationToken)
    {
        await OpenAsync(peer, _slab.Memory.Bytes, cancellationToken);
        DescriptorPassing.Send(peer, _slab.Memory.Descriptor);
        var reading = new Dictionary<long, (Lease Lease, int Count)>();
        byte[] buffer = new byte[LinkMessage.Size];
        try
        {
            while (await peer.TryReceiveAllAsync(buffer, cancellationToken))
            {
                var asked = LinkMessage.Read(buffer);
                if (await TryServeChannelAsync(peer, asked, share: true, cancellationToken))
                {
                    return;
                }
                if (asked.Verb == LinkVerb.Release)
                {
                    Release(reading, asked.Id);
                    continue;
                }
                LinkMessage answer = Find(asked) is { } lease ? Describe(Note(reading, lease)) : new LinkMessage(LinkVerb.Gone, asked.Id);
                answer.Write(buffer);
                await peer.SendAllAsync(buffer, cancellationToken);
            }
        }
        finally
        {
            // The peer closed or was killed: it reads nothing any more.
            foreach ((Lease lease, int count) in reading.Values)
            {
                for (int i = 0; i < count; i++)
                {
                    _leases.Unpin(lease);
                }
            }
        }
    }

    private async Task ServeBytesAsync(Socket peer, CancellationToken cancellationToken)
    {
        peer.NoDelay = true;
        peer.SendBufferSize = _options.CreditBytes;
        await OpenAsync(peer, slabBytes: 0, cancellationToken);
        byte[] buffer = new byte[LinkMessage.Size];
        while (await peer.TryReceiveAllAsync(buffer, cancellationToken))
        {
            var asked = LinkMessage.Read(buffer);
            if (await TryServeChannelAsync(peer, asked, share: false, cancellationToken))
            {
                return;
            }
            if (Find(asked) is not { } lease)
            {
                new LinkMessage(LinkVerb.Gone, asked.Id).Write(buffer);
                await peer.SendAllAsync(buffer, cancellationToken);
                continue;
            }
            try
            {
                Describe(lease).Write(buffer);
                await peer.SendAllAsync(buffer, cancellationToken);
                await SendBytesAsync(peer, lease, cancellationToken);
            }
            finally
            {
                _leases.Unpin(lease);
            }
        }
    }

    // A reader that takes nothing for a peer timeout loses its connection, so that it cannot hold the memory.
    private async Task SendBytesAsync(Socket peer, Lease lease, CancellationToken cancellationToken)
    {
        using var memory = new NativeMemoryManager(lease.Block.Address, lease.Bytes);
        using var patience = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        for (long at = 0; at < lease.Bytes; at += _options.CreditBytes)
        {
            patience.CancelAfter(_options.PeerTimeout);
            await peer.SendAllAsync(memory.Slice(at, (int)Math.Min(_options.CreditBytes, lease.Bytes - at)), either.Token);
        }
    }

    private async Task OpenAsync(Socket peer, long slabBytes, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(_options.PeerTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        await Handshake.ListenAsync(peer, _secret, _incarnation, slabBytes, either.Token);
    }

    // Serves it to its end; false when the message asks for something else.
    private async Task<bool> TryServeChannelAsync(Socket peer, LinkMessage asked, bool share, CancellationToken cancellationToken)
    {
        if (asked.Verb != LinkVerb.OpenChannel && !(share && asked.Verb == LinkVerb.OpenDeviceChannel))
        {
            return false;
        }
        if (_channels.TryGetValue(asked.Id, out LinkShardReader? channel)
            && asked.Shape == [channel.Shape.Frames, channel.Shape.Rows, channel.Shape.Width]
            && _channels.TryRemove(asked.Id, out channel))
        {
            await channel.ServeAsync(peer, asked, share, _options.DeviceSlabs, cancellationToken);
            return true;
        }
        byte[] answer = new byte[LinkMessage.Size];
        new LinkMessage(LinkVerb.Gone, asked.Id).Write(answer);
        await peer.SendAllAsync(answer, cancellationToken);
        return true;
    }

    private Lease? Find(in LinkMessage asked) => asked.Verb == LinkVerb.Pull
        ? _leases.TryPin(asked.Id)
        : throw new InvalidDataException($"tensor link: a peer sent {asked.Verb}, which only answers");

    private static LinkMessage Describe(Lease lease) =>
        new(LinkVerb.Tensor, lease.Id, lease.DType, lease.Shape, lease.Bytes, lease.Block.Offset);

    private static Lease Note(Dictionary<long, (Lease Lease, int Count)> reading, Lease lease)
    {
        reading[lease.Id] = (lease, reading.GetValueOrDefault(lease.Id).Count + 1);
        return lease;
    }

    private void Release(Dictionary<long, (Lease Lease, int Count)> reading, long id)
    {
        if (!reading.TryGetValue(id, out (Lease Lease, int Count) held))
        {
            throw new InvalidDataException($"tensor link: a peer released tensor {id}, which it had not pulled");
        }
        if (held.Count == 1)
        {
            reading.Remove(id);
        }
        else
        {
            reading[id] = (held.Lease, held.Count - 1);
        }
        _leases.Unpin(held.Lease);
    }
}
