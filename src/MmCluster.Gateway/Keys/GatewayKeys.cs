using MmCluster.Cluster.Deployment;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Metrics;
using MmCluster.Gateway.Models;
using MmCluster.Models;

namespace MmCluster.Gateway.Keys;

/// <summary>The keys that a gateway accepts now. Safe to call from any thread.</summary>
internal sealed class GatewayKeys
{
    private readonly Lock _gate = new();
    private readonly KeyGrant[] _own;
    private readonly Func<KeyGrant, Caller> _create;
    private volatile KeyRing _ring;

    /// <exception cref="MmException">InvalidArgument, naming the record at fault by its tenant.</exception>
    public GatewayKeys(GatewayOptions options, ServedModels models, TenantMetrics metrics, TimeProvider time)
    {
        // The one key of a small installation is its operator's; a file's keys come beside it.
        _own = options.ApiKey is { } key ? [new KeyGrant { Hash = KeyGrant.HashOf(key), Tenant = "default", Admin = true }] : [];
        _create = record => new Caller(record, models, metrics, time);
        _ring = new KeyRing([.. options.Keys, .. _own], _create);
    }

    /// <summary>The caller of a request with that Authorization header, or null where its key is not accepted.</summary>
    public Caller? Find(string? authorization) => _ring.Find(authorization);

    /// <summary>Accepts these from now on; a key whose record did not change keeps its counters. Requests that run go on.</summary>
    /// <exception cref="MmException">InvalidArgument, naming the record at fault; the keys are as before then.</exception>
    public void Apply(IReadOnlyList<KeyGrant> records)
    {
        lock (_gate)
        {
            Caller[] before = [.. _ring.Callers];
            _ring = new KeyRing([.. records, .. _own], record => before.FirstOrDefault(caller => caller.Is(record)) ?? _create(record));
        }
    }
}
