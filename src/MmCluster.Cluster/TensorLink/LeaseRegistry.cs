using MmCluster.Cluster.TensorLink.Memory;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Cluster.TensorLink;

/// <summary>
/// The tensors that this silo holds for others, by id and by request. A lease ends when its request is released or its time is up, whichever
/// is first; its memory is freed when, besides, nobody reads it any more. Safe to call from any thread.
/// </summary>
internal sealed class LeaseRegistry(SharedSlab slab, TimeSpan leaseTime, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<long, Lease> _leases = [];
    private readonly Dictionary<string, List<Lease>> _byRequest = [];
    private long _lastId;
    private long _bytes;

    /// <summary>Bytes under lease or still being read.</summary>
    public long LeasedBytes => Interlocked.Read(ref _bytes);

    /// <summary>Reserves memory for a tensor of <paramref name="request"/>; the caller fills it before telling anybody the id.</summary>
    /// <exception cref="MmException">Unavailable: the slab is full.</exception>
    public Lease Add(string request, Shape shape, DType dtype)
    {
        long bytes = dtype.Bytes(shape.ElementCount);
        SlabBlock block = slab.TryAllocate(bytes) ?? throw new MmException(
            MmErrorCode.Unavailable, $"tensor link: no room for {bytes} bytes of {dtype} {shape}; {slab.UsedBytes} of {slab.Memory.Bytes} bytes are leased")
        {
            RetryAfter = TimeSpan.FromSeconds(1),
        };
        lock (_gate)
        {
            var lease = new Lease(++_lastId, request, shape, dtype, bytes, block, time.GetUtcNow() + leaseTime);
            _leases.Add(lease.Id, lease);
            if (!_byRequest.TryGetValue(request, out List<Lease>? own))
            {
                _byRequest.Add(request, own = []);
            }
            own.Add(lease);
            Interlocked.Add(ref _bytes, bytes);
            return lease;
        }
    }

    /// <summary>Pins a lease against being freed while it is read; null when there is none of that id.</summary>
    public Lease? TryPin(long id)
    {
        lock (_gate)
        {
            if (!_leases.TryGetValue(id, out Lease? lease))
            {
                return null;
            }
            lease.Readers++;
            return lease;
        }
    }

    /// <summary>Undoes one <see cref="TryPin"/>.</summary>
    public void Unpin(Lease lease)
    {
        lock (_gate)
        {
            lease.Readers--;
            FreeIfDone(lease);
        }
    }

    /// <summary>Extends the request's leases by a lease time from now.</summary>
    public void Renew(string request)
    {
        lock (_gate)
        {
            foreach (Lease lease in _byRequest.GetValueOrDefault(request, []))
            {
                lease.Expires = time.GetUtcNow() + leaseTime;
            }
        }
    }

    /// <summary>Ends the request's leases; an unknown request is ignored.</summary>
    public void Release(string request)
    {
        lock (_gate)
        {
            if (_byRequest.Remove(request, out List<Lease>? own))
            {
                own.ForEach(End);
            }
        }
    }

    /// <summary>Ends the leases whose time is up.</summary>
    public void Sweep()
    {
        DateTimeOffset now = time.GetUtcNow();
        lock (_gate)
        {
            foreach (Lease lease in (Lease[])[.. _leases.Values.Where(lease => lease.Expires <= now)])
            {
                List<Lease> own = _byRequest[lease.Request];
                own.Remove(lease);
                if (own.Count == 0)
                {
                    _byRequest.Remove(lease.Request);
                }
                End(lease);
            }
        }
    }

    private void End(Lease lease)
    {
        _leases.Remove(lease.Id);
        lease.Ended = true;
        FreeIfDone(lease);
    }

    private void FreeIfDone(Lease lease)
    {
        if (lease is { Ended: true, Readers: 0 })
        {
            lease.Block.Dispose();
            Interlocked.Add(ref _bytes, -lease.Bytes);
        }
    }
}

/// <summary>A tensor under lease. Its mutable fields are the registry's, under its lock.</summary>
internal sealed class Lease(long id, string request, Shape shape, DType dtype, long bytes, SlabBlock block, DateTimeOffset firstExpiry)
{
    public long Id => id;

    public string Request => request;

    public Shape Shape => shape;

    public DType DType => dtype;

    public long Bytes => bytes;

    public SlabBlock Block => block;

    public DateTimeOffset Expires { get; set; } = firstExpiry;

    public int Readers { get; set; }

    public bool Ended { get; set; }
}
