using System.Collections.Concurrent;
using System.Collections.Immutable;
using Orleans.Runtime.Membership;

namespace Orleans.Runtime.Directory;

/// <summary>Finds grains: a cache, this silo's part of the directory, and the parts of others.</summary>
internal sealed class GrainLocator : IDirectoryService, IDirectoryPeers
{
    private const int MaxCached = 200_000;
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(50);

    private readonly ConcurrentDictionary<GrainId, SiloAddress> _cache = new();
    private readonly Dictionary<GrainId, GrainAddress> _registered = [];
    private readonly long[] _recoveredAt = new long[DirectoryView.Buckets];
    private readonly Lock _lock = new();
    private readonly SiloServices _services;
    private readonly IMembershipView _membership;
    private readonly DirectoryPartition _partition;
    private DirectoryView _view;
    private volatile ImmutableHashSet<SiloAddress> _left = [];

    public GrainLocator(SiloServices services, IMembershipView membership)
    {
        _services = services;
        _membership = membership;
        _partition = new DirectoryPartition(services.Self, this, services.Time, services.Logger);
        _view = new DirectoryView(membership.CurrentSnapshot);
        Array.Fill(_recoveredAt, long.MinValue);
    }

    public DirectoryView View => Volatile.Read(ref _view);

    /// <summary>Applies a membership snapshot; called in order.</summary>
    public void Apply(ClusterMembershipSnapshot snapshot)
    {
        DirectoryView view = new(snapshot);
        lock (_lock)
        {
            if (view.Version < _view.Version)
            {
                return;
            }
            _view = view;
            _left = _left.Intersect(view.Alive);
        }
        Forget(silo => !view.Alive.Contains(silo));
        _partition.Apply(view);
    }

    public bool TryGetCached(GrainId id, out SiloAddress silo) => _cache.TryGetValue(id, out silo!);

    public void Cache(GrainId id, SiloAddress silo)
    {
        if (_cache.Count > MaxCached)
        {
            _cache.Clear();
        }
        _cache[id] = silo;
        // An answer from before a death may come after Apply has looked through the cache, and nobody would look again.
        if (!View.Alive.Contains(silo) || HasLeft(silo))
        {
            _cache.TryRemove(KeyValuePair.Create(id, silo));
        }
    }

    /// <summary>Forgets a silo that has no grains any more, before it is dead.</summary>
    public void Leave(SiloAddress silo)
    {
        lock (_lock)
        {
            _left = _left.Add(silo);
        }
        Forget(place => place.Equals(silo));
    }

    /// <summary>Whether the silo has no grains any more, so that nothing must be sent there.</summary>
    public bool HasLeft(SiloAddress silo) => _left.Contains(silo);

    public void Uncache(GrainId id) => _cache.TryRemove(id, out _);

    /// <summary>Registers an activation of this silo; answers with the address that holds, which may be another's.</summary>
    public async Task<GrainAddress> RegisterAsync(GrainAddress address)
    {
        int bucket = DirectoryView.BucketOf(address.GrainId);
        while (true)
        {
            (DirectoryAnswer answer, DirectoryView asked) = await AskAsync(address.GrainId, (owner, version) => owner is null
                ? _partition.RegisterAsync(address, version)
                : Service(owner).Register(address, version));
            GrainAddress holder = answer.Address!;
            if (!holder.Matches(address))
            {
                return holder;
            }
            lock (_lock)
            {
                // An owner of a later view may have asked meanwhile what is registered here, and this was not in the
                // answer: register again there. Otherwise it will be in every later answer.
                if (_recoveredAt[bucket] <= asked.Version.Value)
                {
                    _registered[address.GrainId] = address;
                    return address;
                }
            }
        }
    }

    public async Task UnregisterAsync(GrainAddress address)
    {
        lock (_lock)
        {
            if (_registered.TryGetValue(address.GrainId, out GrainAddress? mine) && mine.Matches(address))
            {
                _registered.Remove(address.GrainId);
            }
        }
        try
        {
            await AskAsync(address.GrainId, (owner, version) => owner is null
                ? _partition.UnregisterAsync(address, version)
                : Service(owner).Unregister(address, version));
        }
        catch (SiloUnavailableException) when (View.Active.IsEmpty)
        {
            // All silos are leaving: nobody is left to be told.
        }
    }

    /// <summary>Where the grain is active, or null.</summary>
    public async Task<GrainAddress?> LookupAsync(GrainId id)
    {
        (DirectoryAnswer answer, _) = await AskAsync(id, (owner, version) => owner is null
            ? _partition.LookupAsync(id, version)
            : Service(owner).Lookup(id, version));
        return answer.Address;
    }

    ValueTask<DirectoryAnswer> IDirectoryService.Register(GrainAddress address, MembershipVersion version) =>
        _partition.RegisterAsync(address, version);

    ValueTask<DirectoryAnswer> IDirectoryService.Unregister(GrainAddress address, MembershipVersion version) =>
        _partition.UnregisterAsync(address, version);

    ValueTask<DirectoryAnswer> IDirectoryService.Lookup(GrainId grain, MembershipVersion version) =>
        _partition.LookupAsync(grain, version);

    async Task<List<GrainAddress>> IDirectoryService.Recover(byte[] buckets, MembershipVersion version)
    {
        await RefreshAsync(version);
        lock (_lock)
        {
            for (int bucket = 0; bucket < DirectoryView.Buckets; bucket++)
            {
                if (IsSet(buckets, bucket))
                {
                    _recoveredAt[bucket] = Math.Max(_recoveredAt[bucket], version.Value);
                }
            }
            return [.. _registered.Values.Where(address => IsSet(buckets, DirectoryView.BucketOf(address.GrainId)))];
        }
    }

    Task<List<GrainAddress>> IDirectoryPeers.RecoverAsync(SiloAddress silo, byte[] buckets, MembershipVersion version) =>
        silo.Equals(_services.Self) ? ((IDirectoryService)this).Recover(buckets, version) : Service(silo).Recover(buckets, version);

    public async Task RefreshAsync(MembershipVersion version)
    {
        while (View.Version < version)
        {
            await _membership.Refresh(version);
            if (View.Version < version)
            {
                await Task.Delay(RetryDelay, _services.Time);
            }
        }
    }

    // Asks the owner of the grain's bucket, whoever that is by now.
    private async Task<(DirectoryAnswer Answer, DirectoryView Asked)> AskAsync(
        GrainId id, Func<SiloAddress?, MembershipVersion, ValueTask<DirectoryAnswer>> ask)
    {
        int bucket = DirectoryView.BucketOf(id);
        long start = _services.Time.GetTimestamp();
        while (true)
        {
            DirectoryView view = View;
            SiloAddress owner = view.OwnerOf(bucket) ?? throw new SiloUnavailableException("No silo is active.");
            try
            {
                DirectoryAnswer answer = await ask(owner.Equals(_services.Self) ? null : owner, view.Version);
                if (answer.NotOwnerAt is not { } newer)
                {
                    return (answer, view);
                }
                await RefreshAsync(newer);
            }
            catch (OrleansMessageRejectionException) when (_services.Time.GetElapsedTime(start) < _services.MessagingOptions.SystemResponseTimeout)
            {
                // The owner is going away; the next view has another.
                await Task.Delay(RetryDelay, _services.Time);
            }
        }
    }

    private void Forget(Func<SiloAddress, bool> unwanted)
    {
        foreach ((GrainId id, SiloAddress silo) in _cache)
        {
            if (unwanted(silo))
            {
                _cache.TryRemove(KeyValuePair.Create(id, silo));
            }
        }
    }

    private IDirectoryService Service(SiloAddress silo) => _services.Runtime.References.Service<IDirectoryService>(silo);

    private static bool IsSet(byte[] bits, int index) => index >> 3 < bits.Length && (bits[index >> 3] & (1 << (index & 7))) != 0;
}
