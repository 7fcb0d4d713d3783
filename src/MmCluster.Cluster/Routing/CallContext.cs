using System.Collections.Concurrent;
using MmCluster.Cluster.Grains;
using MmCluster.Cluster.TensorLink;

namespace MmCluster.Cluster.Routing;

/// <summary>What the requests of one gateway share; it renews their leases while they go on.</summary>
internal sealed class CallContext : IAsyncDisposable
{
    /// <summary>How often leases are renewed: a third of their time.</summary>
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(10);

    private readonly IGrainFactory _grains;
    private readonly ConcurrentDictionary<ILeaseHolder, bool> _calls = [];
    private readonly ITimer _heartbeat;
    private long _handles;

    public CallContext(IGrainFactory grains, TensorLinkEndpoint link, TimeProvider time)
    {
        _grains = grains;
        Link = link;
        Time = time;
        _heartbeat = time.CreateTimer(_ => Renew(), null, Heartbeat, Heartbeat);
    }

    /// <summary>Names this gateway in the cluster; new with every start.</summary>
    public string Gateway { get; } = Guid.NewGuid().ToString("N");

    public TensorLinkEndpoint Link { get; }

    public TimeProvider Time { get; }

    public long NextHandle() => Interlocked.Increment(ref _handles);

    public void Enter(ILeaseHolder call) => _calls[call] = true;

    public void Leave(ILeaseHolder call) => _calls.TryRemove(call, out _);

    /// <summary>Frees what stages hold for a request; completes when they have. What does not reach them expires.</summary>
    public Task ReleaseAtAsync(IEnumerable<string> encoders, IEnumerable<string> generators, string lease) => Task.WhenAll([
        .. generators.Select(generator => QuietlyAsync(_grains.GetGrain<IGeneratorGrain>(generator).ReleaseAsync([lease]))),
        .. encoders.Select(encoder => QuietlyAsync(_grains.GetGrain<IEncoderGrain>(encoder).ReleaseAsync([lease]))),
    ]);

    /// <summary>Counts how long after timestamp <paramref name="since"/>, when it was given up, a request is freed everywhere.</summary>
    public async Task MeasureAsync(string model, long since, Task freed)
    {
        await freed;
        RoutingTelemetry.Freed(model, Time.GetElapsedTime(since));
    }

    public ValueTask DisposeAsync() => _heartbeat.DisposeAsync();

    private void Renew()
    {
        ILeaseHolder[] calls = [.. _calls.Keys];
        foreach (ILeaseHolder call in calls)
        {
            Link.Renew(call.Lease);
        }
        foreach ((string encoder, string[] leases) in ByStage(calls, call => call.Encoders))
        {
            _ = QuietlyAsync(_grains.GetGrain<IEncoderGrain>(encoder).RenewAsync(leases));
        }
        foreach ((string generator, string[] leases) in ByStage(calls, call => call.Generators))
        {
            _ = QuietlyAsync(_grains.GetGrain<IGeneratorGrain>(generator).RenewAsync(leases));
        }
    }

    private static IEnumerable<(string Stage, string[] Leases)> ByStage(ILeaseHolder[] calls, Func<ILeaseHolder, IEnumerable<string>> stages) =>
        calls.SelectMany(call => stages(call).Select(stage => (Stage: stage, call.Lease)))
            .GroupBy(pair => pair.Stage)
            .Select(group => (group.Key, group.Select(pair => pair.Lease).ToArray()));

    private static async Task QuietlyAsync(Task call)
    {
        try
        {
            await call;
        }
        catch (Exception)
        {
            // Leases have an end of their own.
        }
    }
}
