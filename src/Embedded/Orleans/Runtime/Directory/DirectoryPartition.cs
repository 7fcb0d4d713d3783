using Microsoft.Extensions.Logging;

namespace Orleans.Runtime.Directory;

/// <summary>
/// The buckets of the directory that this silo owns. A bucket that comes with a new view serves only after every silo
/// that may hold activations has said, having seen that view, what it has registered in it: so two silos can never both
/// win the same grain, whoever died in between. docs/design/004-orleans-directory.md has the argument.
/// </summary>
internal sealed partial class DirectoryPartition(SiloAddress self, IDirectoryPeers peers, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(200);

    private readonly Lock _lock = new();
    private readonly Dictionary<GrainId, GrainAddress> _entries = [];
    private readonly TaskCompletionSource?[] _recovering = new TaskCompletionSource?[DirectoryView.Buckets];
    private readonly bool[] _owned = new bool[DirectoryView.Buckets];
    private DirectoryView? _view;
    private CancellationTokenSource _recovery = new();

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>Takes over what the view gives, lets go of what it takes, and starts to recover what is new.</summary>
    public void Apply(DirectoryView view)
    {
        byte[] toRecover = new byte[DirectoryView.Buckets / 8];
        CancellationToken stop;
        lock (_lock)
        {
            if (_view is not null && view.Version <= _view.Version)
            {
                return;
            }
            _view = view;
            _recovery.Cancel();
            _recovery = new CancellationTokenSource();
            stop = _recovery.Token;
            for (int bucket = 0; bucket < DirectoryView.Buckets; bucket++)
            {
                bool owned = self.Equals(view.OwnerOf(bucket));
                if (owned && !_owned[bucket])
                {
                    _recovering[bucket] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                }
                else if (!owned)
                {
                    _recovering[bucket]?.TrySetResult(); // those who wait look again and are told who owns it
                    _recovering[bucket] = null;
                }
                _owned[bucket] = owned;
                if (_recovering[bucket] is not null)
                {
                    toRecover[bucket >> 3] |= (byte)(1 << (bucket & 7));
                }
            }
            foreach ((GrainId id, GrainAddress address) in _entries.ToArray())
            {
                if (!_owned[DirectoryView.BucketOf(id)] || !view.Alive.Contains(address.SiloAddress!))
                {
                    _entries.Remove(id);
                }
            }
        }
        if (toRecover.AsSpan().ContainsAnyExcept((byte)0))
        {
            _ = RecoverAsync(view, toRecover, stop);
        }
    }

    public ValueTask<DirectoryAnswer> RegisterAsync(GrainAddress address, MembershipVersion version) =>
        RunAsync(address.GrainId, version, static (self, view, address) =>
        {
            if (self._entries.TryGetValue(address!.GrainId, out GrainAddress? held) && view.Alive.Contains(held.SiloAddress!))
            {
                return held;
            }
            if (!view.Alive.Contains(address.SiloAddress!))
            {
                return address; // the last word of a silo that is dead by now: nobody must be led there
            }
            return self._entries[address.GrainId] = address;
        }, address);

    public ValueTask<DirectoryAnswer> UnregisterAsync(GrainAddress address, MembershipVersion version) =>
        RunAsync(address.GrainId, version, static (self, _, address) =>
        {
            if (self._entries.TryGetValue(address!.GrainId, out GrainAddress? held) && held.Matches(address))
            {
                self._entries.Remove(address.GrainId);
            }
            return null;
        }, address);

    public ValueTask<DirectoryAnswer> LookupAsync(GrainId grain, MembershipVersion version) =>
        RunAsync(grain, version, static (self, id) => self._entries.GetValueOrDefault(id), grain);

    private ValueTask<DirectoryAnswer> RunAsync(GrainId grain, MembershipVersion version, Func<DirectoryPartition, GrainId, GrainAddress?> act, GrainId id) =>
        RunAsync(grain, version, (self, _, _) => act(self, id), null);

    private async ValueTask<DirectoryAnswer> RunAsync(
        GrainId grain, MembershipVersion version, Func<DirectoryPartition, DirectoryView, GrainAddress?, GrainAddress?> act, GrainAddress? argument)
    {
        int bucket = DirectoryView.BucketOf(grain);
        while (true)
        {
            Task recovering;
            lock (_lock)
            {
                if (_view is null || _view.Version < version)
                {
                    recovering = peers.RefreshAsync(version);
                }
                else if (!_owned[bucket])
                {
                    return new DirectoryAnswer(null, _view.Version);
                }
                else if (_recovering[bucket] is { } gate)
                {
                    recovering = gate.Task;
                }
                else
                {
                    return new DirectoryAnswer(act(this, _view, argument), null);
                }
            }
            await recovering;
        }
    }

    private async Task RecoverAsync(DirectoryView view, byte[] buckets, CancellationToken stop)
    {
        try
        {
            List<GrainAddress>[] found = await Task.WhenAll(view.Alive.Select(silo => AskAsync(silo, view, buckets, stop)));
            lock (_lock)
            {
                if (_view != view)
                {
                    return; // a newer view recovers again
                }
                foreach (GrainAddress address in found.SelectMany(list => list))
                {
                    _entries.TryAdd(address.GrainId, address);
                }
                for (int bucket = 0; bucket < DirectoryView.Buckets; bucket++)
                {
                    _recovering[bucket]?.TrySetResult();
                    _recovering[bucket] = null;
                }
            }
            int count = found.Sum(list => list.Count);
            LogRecovered(logger, count, view.Version, view.Alive.Count);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
        }
    }

    // Asks until the silo answers or a view comes without it: its word cannot be done without.
    private async Task<List<GrainAddress>> AskAsync(SiloAddress silo, DirectoryView view, byte[] buckets, CancellationToken stop)
    {
        while (true)
        {
            try
            {
                return await peers.RecoverAsync(silo, buckets, view.Version).WaitAsync(stop);
            }
            catch (Exception error) when (error is OrleansException or TimeoutException)
            {
                LogRecoveryDelayed(logger, silo, error.Message);
                await Task.Delay(RetryDelay, time, stop);
            }
        }
    }

    [LoggerMessage(EventId = 1401, Level = LogLevel.Debug, Message = "Recovered {Count} directory entries for version {Version} from {Silos} silos.")]
    private static partial void LogRecovered(ILogger logger, int count, MembershipVersion version, int silos);

    [LoggerMessage(EventId = 1402, Level = LogLevel.Warning, Message = "{Silo} did not say what it has registered ({Reason}); asking again.")]
    private static partial void LogRecoveryDelayed(ILogger logger, SiloAddress silo, string reason);
}

/// <summary>What a directory partition needs of the other silos.</summary>
internal interface IDirectoryPeers
{
    Task<List<GrainAddress>> RecoverAsync(SiloAddress silo, byte[] buckets, MembershipVersion version);

    /// <summary>Completes when a view of at least <paramref name="version"/> has been applied.</summary>
    Task RefreshAsync(MembershipVersion version);
}
