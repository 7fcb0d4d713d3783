using System.Collections.Concurrent;

namespace MmCluster.Gateway.Metrics;

/// <summary>Why a request was turned down.</summary>
internal enum Rejection
{
    Key,
    RequestRate,
    TokenRate,
    Concurrency,
    QueueFull,
    DuplicateId,
    Media,
    Deadline,
    SlowClient,
}

/// <summary>
/// What a gateway counts by tenant. Tenants come from the configured keys, never from a request, and past <see cref="MaxTenants"/> count as
/// "other", so that the number of series is bounded. Safe to call from any thread.
/// </summary>
internal sealed class TenantMetrics
{
    public const int MaxTenants = 256;

    private readonly ConcurrentDictionary<string, Counts> _tenants = new(StringComparer.Ordinal);
    private readonly Counts _other = new();

    public void Begin(string tenant) => Interlocked.Increment(ref Of(tenant).Requests);

    public void CountTokens(string tenant, int tokens) => Interlocked.Add(ref Of(tenant).Tokens, tokens);

    public void Reject(string tenant, Rejection reason) => Interlocked.Increment(ref Of(tenant).Rejections[(int)reason]);

    /// <summary>A request of the tenant waits, or does so no more.</summary>
    public void Waiting(string tenant, int change) => Interlocked.Add(ref Of(tenant).Waiting, change);

    /// <summary>A request of the tenant is with the model, or is so no more.</summary>
    public void Running(string tenant, int change) => Interlocked.Add(ref Of(tenant).Running, change);

    /// <summary>All series; a reason that never happened has none.</summary>
    public void Render(PrometheusText text)
    {
        KeyValuePair<string, Counts>[] tenants =
            [.. _tenants.OrderBy(tenant => tenant.Key, StringComparer.Ordinal), new KeyValuePair<string, Counts>("other", _other)];
        Each("mm:tenant_requests_total", "counter", "Generations begun, by tenant.", counts => Interlocked.Read(ref counts.Requests));
        Each("mm:tenant_tokens_total", "counter", "Prompt and output tokens used, by tenant.", counts => Interlocked.Read(ref counts.Tokens));
        Each("mm:tenant_requests_running", "gauge", "Requests with a model, by tenant.", counts => Interlocked.Read(ref counts.Running));
        Each("mm:tenant_requests_waiting", "gauge", "Requests that wait for others to end, by tenant.", counts => Interlocked.Read(ref counts.Waiting));
        text.Begin("mm:tenant_rejections_total", "counter", "Requests turned down, by tenant and reason.");
        foreach ((string tenant, Counts counts) in tenants)
        {
            foreach (Rejection reason in Enum.GetValues<Rejection>())
            {
                Line("mm:tenant_rejections_total", $"{PrometheusText.Label("tenant", tenant)},reason=\"{Name(reason)}\"", Interlocked.Read(ref counts.Rejections[(int)reason]));
            }
        }

        void Each(string name, string type, string help, Func<Counts, long> value)
        {
            text.Begin(name, type, help);
            foreach ((string tenant, Counts counts) in tenants)
            {
                // A gauge that goes back to 0 must say so.
                bool known = type == "gauge" && Interlocked.Read(ref counts.Requests) > 0;
                Line(name, PrometheusText.Label("tenant", tenant), value(counts), known);
            }
        }

        void Line(string name, string labels, long value, bool always = false)
        {
            if (value > 0 || always)
            {
                text.Sample(name, labels, value);
            }
        }
    }

    // Without keys the tenant has no name; an empty label would read as none.
    private Counts Of(string tenant)
    {
        string label = tenant.Length == 0 ? "default" : tenant;
        return _tenants.TryGetValue(label, out Counts? counts) ? counts
            : _tenants.Count < MaxTenants ? _tenants.GetOrAdd(label, static _ => new Counts())
            : _other;
    }

    private static string Name(Rejection reason) => reason switch
    {
        Rejection.Key => "key",
        Rejection.RequestRate => "request_rate",
        Rejection.TokenRate => "token_rate",
        Rejection.Concurrency => "concurrency",
        Rejection.QueueFull => "queue_full",
        Rejection.DuplicateId => "duplicate_id",
        Rejection.Media => "media",
        Rejection.Deadline => "deadline",
        Rejection.SlowClient => "slow_client",
        _ => throw new ArgumentOutOfRangeException(nameof(reason)),
    };

    private sealed class Counts
    {
        public readonly long[] Rejections = new long[Enum.GetValues<Rejection>().Length];
        public long Requests;
        public long Tokens;
        public long Running;
        public long Waiting;
    }
}
