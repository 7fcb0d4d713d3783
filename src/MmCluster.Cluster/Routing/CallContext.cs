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
    private readonly ConcurrentDictionary<GenerationCall, bool> _calls = [];
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

    public void Enter(GenerationCall call) => _calls[call] = true;

    public void Leave(GenerationCall call) => _calls.TryRemove(call, out _);

    /// <summary>Frees what encoders hold for a request; what does not reach them expires.</summary>
    public void ReleaseAt(IEnumerable<string> encoders, string lease)
    {
        foreach (string encoder in encoders)
        {
            _ = QuietlyAsync(_grains.GetGrain<IEncoderGrain>(encoder).ReleaseAsync([lease]));
        }
    }

    public ValueTask DisposeAsync() => _heartbeat.DisposeAsync();

    private void Renew()
    {
        Dictionary<string, List<string>> byEncoder = [];
        foreach (GenerationCall call in _calls.Keys)
        {
            Link.Renew(call.Lease);
            foreach (string encoder in call.Encoders)
            {
                if (!byEncoder.TryGetValue(encoder, out List<string>? leases))
                {
                    byEncoder.Add(encoder, leases = []);
                }
                leases.Add(call.Lease);
            }
        }
        foreach ((string encoder, List<string> leases) in byEncoder)
        {
            _ = QuietlyAsync(_grains.GetGrain<IEncoderGrain>(encoder).RenewAsync([.. leases]));
        }
    }

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
