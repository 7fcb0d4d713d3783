using System.Net;
using System.Net.Sockets;
using MmCluster.Cluster.TensorLink.Memory;
using MmCluster.Cluster.TensorLink.Native;
using MmCluster.Cluster.TensorLink.Wire;

namespace MmCluster.Cluster.TensorLink;

/// <summary>An open connection to another silo's endpoint. One caller at a time, but for who lets go of what was pulled.</summary>
internal sealed class PeerConnection : IDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[LinkMessage.Size];
    private int _holds = 1;

    private PeerConnection(Socket socket, SharedMemory? slab) => (_socket, Slab) = (socket, slab);

    /// <summary>The peer's slab mapped here, or null over TCP.</summary>
    public SharedMemory? Slab { get; }

    /// <summary>Connects through shared memory.</summary>
    public static async Task<PeerConnection> ShareAsync(LinkAddress peer, byte[] secret, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(peer.UnixPath), cancellationToken);
            long bytes = await Handshake.CallAsync(socket, secret, peer.Incarnation, cancellationToken);
            int descriptor = await DescriptorPassing.ReceiveAsync(socket, cancellationToken);
            return new PeerConnection(socket, SharedMemory.Open(descriptor, bytes));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Connects over TCP.</summary>
    public static async Task<PeerConnection> StreamAsync(LinkAddress peer, byte[] secret, int creditBytes, CancellationToken cancellationToken)
    {
        var address = new IPEndPoint(IPAddress.Parse(peer.Host), peer.Port);
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveBufferSize = creditBytes };
        try
        {
            await socket.ConnectAsync(address, cancellationToken);
            await Handshake.CallAsync(socket, secret, peer.Incarnation, cancellationToken);
            return new PeerConnection(socket, slab: null);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Completes when the peer closes the connection or is gone; nothing else may use it meanwhile.</summary>
    /// <exception cref="SocketException">It is gone, and not by closing.</exception>
    public async Task EndedAsync(CancellationToken cancellationToken)
    {
        if (await _socket.TryReceiveAllAsync(_buffer, cancellationToken))
        {
            throw new InvalidDataException("tensor link: a peer spoke without being asked");
        }
    }

    /// <summary>Asks for a tensor; null when its lease has ended. Over TCP its bytes must be received next.</summary>
    /// <exception cref="InvalidDataException">The answer does not fit the reference.</exception>
    public async Task<LinkMessage?> PullAsync(TensorRef wanted, CancellationToken cancellationToken)
    {
        new LinkMessage(LinkVerb.Pull, wanted.Id).Write(_buffer);
        await _socket.SendAllAsync(_buffer, cancellationToken);
        await _socket.ReceiveAllAsync(_buffer, cancellationToken);
        var answer = LinkMessage.Read(_buffer);
        if (answer.Verb == LinkVerb.Gone)
        {
            return null;
        }
        bool fits = answer.Verb == LinkVerb.Tensor && answer.Id == wanted.Id && answer.DType == wanted.DType
            && answer.Shape == wanted.Shape && answer.Bytes == wanted.Bytes
            && (Slab is null || (answer.Offset >= 0 && answer.Offset <= Slab.Bytes - answer.Bytes));
        return fits ? answer : throw new InvalidDataException($"tensor link: the peer answered {answer} for {wanted}");
    }

    /// <summary>Fills <paramref name="bytes"/> with what follows an answer over TCP.</summary>
    public ValueTask ReceiveAsync(Memory<byte> bytes, CancellationToken cancellationToken) => _socket.ReceiveAllAsync(bytes, cancellationToken);

    /// <summary>Tells the peer that a tensor in its slab is no longer read.</summary>
    public async Task ReleaseAsync(long id, CancellationToken cancellationToken)
    {
        new LinkMessage(LinkVerb.Release, id).Write(_buffer);
        await _socket.SendAllAsync(_buffer, cancellationToken);
    }

    /// <summary>The peer keeps what it handed out in its slab as long as the connection is open: each tensor holds it.</summary>
    public void Hold() => Interlocked.Increment(ref _holds);

    /// <summary>Undoes one <see cref="Hold"/>; of a connection that is disposed, the last one closes it.</summary>
    public void LetGo()
    {
        if (Interlocked.Decrement(ref _holds) == 0)
        {
            _socket.Dispose();
            Slab?.Dispose();
        }
    }

    /// <summary>Closes it under whoever uses it; what was pulled stays mapped until it is let go of.</summary>
    public void Abort() => _socket.Dispose();

    /// <summary>Nothing more is asked over it. Call it once.</summary>
    public void Dispose() => LetGo();
}
