using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

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

    /// <summary>All series as Prometheus text; a reason that never happened has none.</summary>
    public string Render()
    {
        var text = new StringBuilder();
        KeyValuePair<string, Counts>[] tenants =
            [.. _tenants.OrderBy(tenant => tenant.Key, StringComparer.Ordinal), new KeyValuePair<string, Counts>("other", _other)];
        Header("mm:tenant_requests_total", "Generations begun, by tenant.");
        Each((tenant, counts) => Line("mm:tenant_requests_total", $"tenant=\"{tenant}\"", Interlocked.Read(ref counts.Requests)));
        Header("mm:tenant_tokens_total", "Prompt and output tokens used, by tenant.");
        Each((tenant, counts) => Line("mm:tenant_tokens_total", $"tenant=\"{tenant}\"", Interlocked.Read(ref counts.Tokens)));
        Header("mm:tenant_rejections_total", "Requests turned down, by tenant and reason.");
        Each((tenant, counts) =>
        {
            foreach (Rejection reason in Enum.GetValues<Rejection>())
            {
                Line("mm:tenant_rejections_total", $"tenant=\"{tenant}\",reason=\"{Name(reason)}\"", Interlocked.Read(ref counts.Rejections[(int)reason]));
            }
        });
        return text.ToString();

        void Header(string name, string help) => text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} counter\n");

        void Each(Action<string, Counts> write)
        {
            foreach ((string tenant, Counts counts) in tenants)
            {
                write(tenant, counts);
            }
        }

        void Line(string name, string labels, long value)
        {
            if (value > 0)
            {
                text.Append(CultureInfo.InvariantCulture, $"{name}{{{labels}}} {value}\n");
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
    }
}
