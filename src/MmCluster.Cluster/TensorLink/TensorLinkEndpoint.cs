using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using MmCluster.Cluster.TensorLink.Channels;
using MmCluster.Cluster.TensorLink.Memory;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.TensorLink;

/// <summary>
/// One silo's end of the data plane. Producers publish tensors under a lease and hand the reference around in grain calls; consumers pull
/// them: in the same process the tensor itself, on the same machine a view of shared memory, from elsewhere a copy over TCP. Safe to call
/// from any thread. The protocol is told at <see cref="Wire.Handshake"/> and <see cref="Wire.LinkMessage"/>.
/// </summary>
public sealed class TensorLinkEndpoint : IAsyncDisposable
{
    private readonly TensorLinkOptions _options;
    private readonly byte[] _secret;
    private readonly SharedSlab _slab;
    private readonly LeaseRegistry _leases;
    private readonly LinkListener _listener;
    private readonly PeerWatch _watch;
    private readonly ITimer _sweep;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<Guid, PeerPool> _peers = new();
    private readonly ConcurrentDictionary<long, LinkShardReader> _channels = new();
    private readonly DeviceLeases _deviceLeases;
    private bool _disposed;

    /// <summary>Starts listening.</summary>
    /// <exception cref="MmException">InvalidArgument: no secret.</exception>
    /// <exception cref="IOException">No shared memory, or the address is taken.</exception>
    public TensorLinkEndpoint(TensorLinkOptions options, TimeProvider time)
    {
        if (options.ClusterSecret.Length == 0)
        {
            throw new MmException(MmErrorCode.InvalidArgument, "the tensor link needs a cluster secret: set it in cluster.yaml, the same on every silo");
        }
        _options = options;
        _time = time;
        _secret = Encoding.UTF8.GetBytes(options.ClusterSecret);
        _slab = new SharedSlab(options.SlabBytes);
        _deviceLeases = new DeviceLeases(options.DeviceSlabs, options.DeviceSlabBytes);
        _leases = new LeaseRegistry(_slab, options.LeaseTime, time);
        LinkTelemetry.Watch(_leases);
        var incarnation = Guid.NewGuid();
        _listener = new LinkListener(_leases, _channels, _slab, options, _secret, incarnation, time);
        Address = new LinkAddress(MachineIdentity.Current, _listener.UnixPath, options.Host, _listener.Port, incarnation);
        _watch = new PeerWatch(_secret, options, time);
        TimeSpan sweep = options.LeaseTime / 4;
        _sweep = time.CreateTimer(_ => _leases.Sweep(), null, sweep, sweep);
    }

    /// <summary>How others reach this endpoint.</summary>
    public LinkAddress Address { get; }

    /// <summary>Bytes under lease or still being read by somebody.</summary>
    public long LeasedBytes => _leases.LeasedBytes;

    /// <summary>Bytes of GPUs under lease: frames of channels.</summary>
    public long DeviceLeasedBytes => _deviceLeases.LeasedBytes;

    /// <summary>
    /// Leases a tensor that <paramref name="fill"/> writes, straight into the memory that consumers will read. The lease ends with
    /// <see cref="Release"/> or when it is not renewed in time.
    /// </summary>
    /// <exception cref="MmException">Unavailable: no room.</exception>
    public TensorRef Publish(string request, Shape shape, DType dtype, UInt128 contentHash, Action<Tensor> fill)
    {
        Lease lease = _leases.Add(request, shape, dtype);
        _ = _leases.TryPin(lease.Id); // the request may be released while the tensor is being written
        try
        {
            using var tensor = Tensor.FromMemory(lease.Block.Address, lease.Bytes, shape, dtype, lease, readOnly: false);
            fill(tensor);
        }
        finally
        {
            _leases.Unpin(lease);
        }
        return new TensorRef(Address, lease.Id, dtype, shape, lease.Bytes, contentHash);
    }

    /// <summary>Leases a copy of <paramref name="tensor"/>, which must be dense and on the CPU.</summary>
    /// <exception cref="MmException">Unavailable: no room.</exception>
    public TensorRef Publish(string request, Tensor tensor, UInt128 contentHash = default) =>
        Publish(request, tensor.Shape, tensor.DType, contentHash, target => Copy(tensor, target));

    /// <summary>Gets a tensor from whoever holds it. Ask again with a new reference when it fails: the producing stage must be run again.</summary>
    /// <param name="wanted">What.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="trace">The span (W3C trace context) that it is pulled for, where that is not the current one: work of several requests has none of its own.</param>
    /// <exception cref="MmException">Unavailable: the lease has ended, or its silo is gone or restarted.</exception>
    public async Task<PulledTensor> PullAsync(TensorRef wanted, CancellationToken cancellationToken, string? trace = null)
    {
        if (wanted.Owner.Incarnation == Address.Incarnation)
        {
            return PullOwn(wanted);
        }
        bool share = _options.ShareMemory && wanted.Owner.Machine == Address.Machine;
        PeerPool peer = PeerOf(wanted.Owner, share);
        try
        {
            return await LinkTelemetry.MeasureAsync(wanted, share, trace, () => peer.PullAsync(wanted, cancellationToken));
        }
        catch (Exception error) when (error is IOException or SocketException or InvalidDataException or ObjectDisposedException)
        {
            throw new MmException(
                MmErrorCode.Unavailable, $"tensor link: cannot pull tensor {wanted.Id} from {wanted.Owner.Host}:{wanted.Owner.Port}: {error.Message}", error);
        }
    }

    /// <summary>
    /// Makes the receiving end of a channel; one sender may connect to its <see cref="LinkShardReader.Ref"/>. Dispose it when nobody does.
    /// </summary>
    /// <param name="shape">What it carries.</param>
    /// <param name="device">Where rows are wanted; the processor when null.</param>
    public LinkShardReader ExpectChannel(ChannelShape shape, Device? device = null)
    {
        LinkShardReader channel = new(Address, BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long))), shape, OrHost(device));
        _channels[channel.Ref.Id] = channel;
        _ = channel.Closed.ContinueWith(_ => _channels.TryRemove(channel.Ref.Id, out LinkShardReader? _), TaskScheduler.Default);
        return channel;
    }

    /// <summary>
    /// Connects to a channel's receiving end: through shared memory on the same machine, which is a GPU's where both ends want that and can, over TCP elsewhere.
    /// </summary>
    /// <param name="to">The receiving end.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="device">Where rows are made; the processor when null.</param>
    /// <exception cref="MmException">Unavailable: its silo is gone, or nobody waits for it any more.</exception>
    public async Task<LinkShardWriter> OpenChannelAsync(ChannelRef to, CancellationToken cancellationToken, Device? device = null)
    {
        try
        {
            bool share = _options.ShareMemory && to.Owner.Machine == Address.Machine;
            DeviceLease? lease = share && to.TakesDeviceRows && OrHost(device) is { } own ? _deviceLeases.TryTake(own, to.Shape.Checked().MemoryBytes) : null;
            return await LinkShardWriter.ConnectAsync(to, share, _secret, lease, cancellationToken);
        }
        catch (Exception error) when (error is IOException or SocketException or InvalidDataException)
        {
            throw new MmException(MmErrorCode.Unavailable, $"tensor link: cannot open a channel to {to.Owner.Host}:{to.Owner.Port}: {error.Message}", error);
        }
    }

    /// <summary>Extends all leases of a request.</summary>
    public void Renew(string request) => _leases.Renew(request);

    /// <summary>Ends all leases of a request; memory still being read is freed when the last reader lets go.</summary>
    public void Release(string request) => _leases.Release(request);

    /// <summary>
    /// Completes when the process at <paramref name="peer"/> is gone, at once where its machine lives. Cancelled when it cannot be reached for a lease time, or
    /// this endpoint is disposed. Never for this endpoint itself, nor for one that listens for its own machine only, which is another.
    /// </summary>
    public Task GoneAsync(LinkAddress peer) =>
        peer.Incarnation == Address.Incarnation || (peer.Machine != Address.Machine && IPAddress.IsLoopback(IPAddress.Parse(peer.Host)))
        ? Task.Delay(Timeout.Infinite, CancellationToken.None)
        : _watch.GoneAsync(peer);

    /// <summary>Processes that this one has connections to, or had and does not know to be gone.</summary>
    internal int Peers => _peers.Count;

    /// <summary>Stops serving and frees the slab; a second call does nothing.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true))
        {
            return;
        }
        LinkTelemetry.Unwatch(_leases);
        _watch.Dispose();
        await _sweep.DisposeAsync();
        foreach (LinkShardReader channel in _channels.Values)
        {
            channel.Dispose();
        }
        await _listener.DisposeAsync();
        foreach (PeerPool peer in _peers.Values)
        {
            peer.Dispose();
        }
        _slab.Dispose();
    }

    private PeerPool PeerOf(LinkAddress owner, bool share)
    {
        if (_peers.TryGetValue(owner.Incarnation, out PeerPool? known))
        {
            return known;
        }
        var pool = new PeerPool(owner, share, _secret, _options, _time);
        PeerPool first = _peers.GetOrAdd(owner.Incarnation, pool);
        if (first == pool)
        {
            _ = ForgetWhenGoneAsync(owner);
        }
        return first;
    }

    // A mapping keeps the memory of a process that is no more.
    private async Task ForgetWhenGoneAsync(LinkAddress peer)
    {
        try
        {
            await GoneAsync(peer);
        }
        catch (OperationCanceledException)
        {
            // Not reached for a lease time, or this endpoint is disposed.
        }
        if (_peers.TryRemove(peer.Incarnation, out PeerPool? pool))
        {
            pool.Dispose();
        }
    }

    private Device? OrHost(Device? device) => device is not null && _options.DeviceSlabs.Shares(device) ? device : null;

    private static unsafe void Copy(Tensor from, Tensor to) =>
        Buffer.MemoryCopy((void*)from.DenseAddress, (void*)to.DenseAddress, to.Bytes, from.Bytes);

    private PulledTensor PullOwn(TensorRef wanted)
    {
        Lease lease = _leases.TryPin(wanted.Id)
            ?? throw new MmException(MmErrorCode.Unavailable, $"tensor link: tensor {wanted.Id} is no longer held here; it must be made again");
        var tensor = Tensor.FromMemory(lease.Block.Address, lease.Bytes, lease.Shape, lease.DType, lease);
        return new PulledTensor(tensor, () => _leases.Unpin(lease));
    }
}
