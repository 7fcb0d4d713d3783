using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;

namespace Orleans.Runtime.Membership;

/// <summary>Probes other silos and votes against those that do not answer.</summary>
internal sealed partial class SiloMonitor(
    MembershipManager membership, Func<SiloAddress, IMembershipPeer> peer, ClusterMembershipOptions options, TimeProvider time, ILogger logger) : IDisposable
{
    // A refused connection says that nobody listens, so there is no need to wait a whole period to be sure.
    private static readonly TimeSpan RefusedPeriod = TimeSpan.FromMilliseconds(200);

    private readonly ConcurrentDictionary<SiloAddress, Watch> _watches = new();
    private readonly CancellationTokenSource _stop = new();

    public void Apply(ClusterMembershipSnapshot snapshot)
    {
        if (!options.LivenessEnabled || _stop.IsCancellationRequested)
        {
            return;
        }
        HashSet<SiloAddress> wanted = [.. Choose(snapshot)];
        foreach ((SiloAddress silo, Watch watch) in _watches)
        {
            if (!wanted.Contains(silo) && _watches.TryRemove(silo, out _))
            {
                watch.Stop.Cancel();
            }
        }
        foreach (SiloAddress silo in wanted)
        {
            Watch watch = new(CancellationTokenSource.CreateLinkedTokenSource(_stop.Token));
            if (_watches.TryAdd(silo, watch))
            {
                _ = WatchAsync(silo, watch);
            }
        }
    }

    /// <summary>Probes at once: the connection to the silo has broken.</summary>
    public void Hurry(SiloAddress silo)
    {
        if (_watches.TryGetValue(silo, out Watch? watch))
        {
            watch.Hurry.Release();
        }
    }

    public void Dispose() => _stop.Cancel();

    // The next silos in the order of addresses, so that each is watched by as many as watch.
    private IEnumerable<SiloAddress> Choose(ClusterMembershipSnapshot snapshot)
    {
        List<SiloAddress> ring = [.. snapshot.Members.Values
            .Where(member => member.Status is SiloStatus.Active or SiloStatus.ShuttingDown or SiloStatus.Stopping || member.SiloAddress.Equals(membership.Self))
            .Select(member => member.SiloAddress).Order()];
        int self = ring.IndexOf(membership.Self);
        return self < 0 ? [] : Enumerable.Range(1, ring.Count - 1).Select(i => ring[(self + i) % ring.Count]).Take(options.NumProbedSilos);
    }

    private async Task WatchAsync(SiloAddress silo, Watch watch)
    {
        int missed = 0;
        try
        {
            while (true)
            {
                long start = time.GetTimestamp();
                Outcome outcome = await ProbeAsync(silo, start, watch.Stop.Token);
                missed = outcome is Outcome.Answered or Outcome.Unsure ? 0 : missed + 1;
                if (missed > 0)
                {
                    LogMissed(logger, silo, missed, options.NumMissedProbesLimit);
                }
                if (missed >= options.NumMissedProbesLimit)
                {
                    await membership.SuspectAsync(silo, watch.Stop.Token);
                }
                TimeSpan period = outcome == Outcome.Refused ? RefusedPeriod : options.ProbeTimeout;
                TimeSpan rest = period - time.GetElapsedTime(start);
                if (rest > TimeSpan.Zero)
                {
                    await WaitAsync(watch, rest);
                }
            }
        }
        catch (OperationCanceledException) when (watch.Stop.IsCancellationRequested)
        {
        }
        catch (Exception error)
        {
            LogWatchFailed(logger, error, silo);
            _watches.TryRemove(silo, out _); // the next snapshot or refresh starts it again
        }
    }

    private async Task WaitAsync(Watch watch, TimeSpan span)
    {
        using CancellationTokenSource wait = CancellationTokenSource.CreateLinkedTokenSource(watch.Stop.Token);
        Task hurry = watch.Hurry.WaitAsync(wait.Token);
        await Task.WhenAny(hurry, Task.Delay(span, time, wait.Token));
        await wait.CancelAsync();
        watch.Stop.Token.ThrowIfCancellationRequested();
    }

    private async Task<Outcome> ProbeAsync(SiloAddress silo, long start, CancellationToken stop)
    {
        try
        {
            await peer(silo).Ping().AsTask().WaitAsync(options.ProbeTimeout, time, stop);
            return Outcome.Answered;
        }
        catch (OrleansMessageRejectionException)
        {
            return Outcome.Refused;
        }
        catch (TimeoutException)
        {
            // Where this process itself was held up, the other's silence says nothing.
            return time.GetElapsedTime(start) > options.ProbeTimeout * 1.5 ? Outcome.Unsure : Outcome.Missed;
        }
    }

    private enum Outcome
    {
        Answered,
        Missed,
        Refused,
        Unsure,
    }

    [LoggerMessage(EventId = 1511, Level = LogLevel.Information, Message = "{Silo} missed {Missed} of {Limit} probes.")]
    private static partial void LogMissed(ILogger logger, SiloAddress silo, int missed, int limit);

    [LoggerMessage(EventId = 1512, Level = LogLevel.Error, Message = "{Silo} is not watched for now.")]
    private static partial void LogWatchFailed(ILogger logger, Exception error, SiloAddress silo);

    private sealed record Watch(CancellationTokenSource Stop)
    {
        public SemaphoreSlim Hurry { get; } = new(0);
    }
}
