using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;

namespace Orleans.Runtime.Membership;

/// <summary>
/// This silo's row in the membership table and its copy of the others'. Every change is a compare-and-swap of row and
/// table version, so that all silos see the same sequence of views.
/// </summary>
internal sealed partial class MembershipManager(
    IMembershipTable table, MembershipEntry self, ClusterMembershipOptions options, TimeProvider time, ILogger logger)
    : IClusterMembershipService, IMembershipView
{
    private const int MaxAttempts = 50;
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(20);

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _reading = new(1);
    private readonly List<Channel<ClusterMembershipSnapshot>> _listeners = [];
    private ClusterMembershipSnapshot _snapshot = new(ImmutableDictionary<SiloAddress, ClusterMember>.Empty, MembershipVersion.MinValue);

    /// <summary>Called with each new snapshot, in order, before anyone else hears of it.</summary>
    public Action<ClusterMembershipSnapshot>? Applied { get; set; }

    /// <summary>Called once when others have declared this silo dead.</summary>
    public Action? DeclaredDead { get; set; }

    /// <summary>Called after this silo has changed the table.</summary>
    public Action<MembershipVersion>? Changed { get; set; }

    public ClusterMembershipSnapshot CurrentSnapshot => Volatile.Read(ref _snapshot);

    public IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates => ListenAsync();

    public SiloAddress Self => self.SiloAddress;

    public SiloStatus Status => self.Status;

    public async ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default)
    {
        if (minimumVersion != default && CurrentSnapshot.Version >= minimumVersion)
        {
            return;
        }
        await _reading.WaitAsync(cancellationToken);
        try
        {
            if (minimumVersion == default || CurrentSnapshot.Version < minimumVersion)
            {
                Apply(await table.ReadAll());
            }
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>Enters the table; earlier silos at the same endpoint are dead by that.</summary>
    public async Task JoinAsync(CancellationToken stop)
    {
        await table.InitializeMembershipTable(true);
        await UpdateAsync(data =>
        {
            Tuple<MembershipEntry, string>? earlier = data.Members.FirstOrDefault(row =>
                row.Item1.Status != SiloStatus.Dead && row.Item1.SiloAddress.IsPredecessorOf(Self));
            if (earlier is null)
            {
                return null;
            }
            MembershipEntry dead = earlier.Item1.Copy();
            dead.Status = SiloStatus.Dead;
            return (dead, earlier.Item2);
        }, stop, untilNothing: true);
        self.StartTime = self.IAmAliveTime = time.GetUtcNow().UtcDateTime;
        await SetStatusAsync(SiloStatus.Joining, stop);
    }

    public Task SetStatusAsync(SiloStatus status, CancellationToken stop)
    {
        self.Status = status;
        return UpdateAsync(data => data.TryGet(Self) is not { } row ? (self, (string?)null)
            : row.Item1.Status == status || row.Item1.Status == SiloStatus.Dead ? null : (self, row.Item2), stop);
    }

    public async Task<bool> TryKill(SiloAddress siloAddress)
    {
        await UpdateAsync(data => Vote(data, siloAddress, votesNeeded: 1), CancellationToken.None);
        return CurrentSnapshot.GetSiloStatus(siloAddress) == SiloStatus.Dead;
    }

    /// <summary>Votes against a silo; enough fresh votes make it dead.</summary>
    public Task SuspectAsync(SiloAddress silo, CancellationToken stop) => UpdateAsync(data =>
    {
        int active = data.Members.Count(row => row.Item1.Status == SiloStatus.Active);
        return Vote(data, silo, Math.Max(1, Math.Min(options.NumVotesForDeathDeclaration, (active + 1) / 2)));
    }, stop);

    public async Task PublishAliveAsync()
    {
        self.IAmAliveTime = time.GetUtcNow().UtcDateTime;
        await table.UpdateIAmAlive(self);
    }

    public Task CleanUpAsync() => table.CleanupDefunctSiloEntries(time.GetUtcNow() - options.DefunctSiloExpiration);

    private (MembershipEntry Entry, string? Etag)? Vote(MembershipTableData data, SiloAddress silo, int votesNeeded)
    {
        if (data.TryGet(silo) is not { } row || row.Item1.Status == SiloStatus.Dead)
        {
            return null;
        }
        DateTime now = time.GetUtcNow().UtcDateTime;
        MembershipEntry entry = row.Item1.Copy();
        entry.SuspectTimes?.RemoveAll(vote => vote.Item2 < now - options.DeathVoteExpirationTimeout);
        entry.AddOrUpdateSuspector(Self, now, Math.Max(1, options.NumVotesForDeathDeclaration));
        if (entry.SuspectTimes!.Count >= votesNeeded)
        {
            entry.Status = SiloStatus.Dead;
            LogDead(logger, silo, entry.SuspectTimes.Count);
        }
        return (entry, row.Item2);
    }

    // Reads, lets 'change' choose a row to write (null for none), and writes; again until nobody was faster.
    private async Task UpdateAsync(
        Func<MembershipTableData, (MembershipEntry Entry, string? Etag)?> change, CancellationToken stop, bool untilNothing = false)
    {
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            MembershipTableData data = await table.ReadAll();
            Apply(data);
            if (change(data) is not { } row)
            {
                return;
            }
            TableVersion next = data.Version.Next();
            bool written = row.Etag is null
                ? await table.InsertRow(row.Entry, next)
                : await table.UpdateRow(row.Entry, row.Etag, next);
            if (written)
            {
                await Refresh(default, stop);
                Changed?.Invoke(CurrentSnapshot.Version);
                if (!untilNothing)
                {
                    return;
                }
            }
            else
            {
                await Task.Delay(RetryDelay * Random.Shared.NextDouble(), time, stop);
            }
        }
        throw new OrleansException($"The membership table could not be written in {MaxAttempts} attempts.");
    }

    private void Apply(MembershipTableData data)
    {
        ImmutableDictionary<SiloAddress, ClusterMember> members = data.Members.ToImmutableDictionary(
            row => row.Item1.SiloAddress,
            row => new ClusterMember(row.Item1.SiloAddress, row.Item1.Status, row.Item1.SiloName ?? ""));
        ClusterMembershipSnapshot next = new(members, new MembershipVersion(data.Version.Version));
        bool died;
        lock (_lock)
        {
            if (next.Version <= _snapshot.Version)
            {
                return;
            }
            died = IsDead(next) && !IsDead(_snapshot) && self.Status != SiloStatus.Dead;
            Volatile.Write(ref _snapshot, next);
            Applied?.Invoke(next);
            foreach (Channel<ClusterMembershipSnapshot> listener in _listeners)
            {
                listener.Writer.TryWrite(next);
            }
        }
        LogView(logger, next);
        if (died)
        {
            DeclaredDead?.Invoke();
        }
    }

    private bool IsDead(ClusterMembershipSnapshot snapshot) =>
        snapshot.Members.TryGetValue(Self, out ClusterMember? member) && member.Status == SiloStatus.Dead;

    private async IAsyncEnumerable<ClusterMembershipSnapshot> ListenAsync([EnumeratorCancellation] CancellationToken stop = default)
    {
        // Only the latest snapshot matters to a slow listener.
        Channel<ClusterMembershipSnapshot> channel = Channel.CreateBounded<ClusterMembershipSnapshot>(
            new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });
        lock (_lock)
        {
            channel.Writer.TryWrite(_snapshot);
            _listeners.Add(channel);
        }
        try
        {
            await foreach (ClusterMembershipSnapshot snapshot in channel.Reader.ReadAllAsync(stop))
            {
                yield return snapshot;
            }
        }
        finally
        {
            lock (_lock)
            {
                _listeners.Remove(channel);
            }
        }
    }

    [LoggerMessage(EventId = 1501, Level = LogLevel.Debug, Message = "Membership: {Snapshot}.")]
    private static partial void LogView(ILogger logger, ClusterMembershipSnapshot snapshot);

    [LoggerMessage(EventId = 1502, Level = LogLevel.Warning, Message = "{Silo} is declared dead with {Votes} votes.")]
    private static partial void LogDead(ILogger logger, SiloAddress silo, int votes);
}
