using Microsoft.AspNetCore.Http;
using MmCluster.Cluster.Deployment;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Gateway.Metrics;
using MmCluster.Gateway.Models;
using MmCluster.Models;

namespace MmCluster.Gateway.Keys;

/// <summary>Who sends a request, and its key's limits. One object a key, for all its requests. Safe to call from any thread.</summary>
internal sealed class Caller
{
    private readonly KeyGrant _record;
    private readonly TenantMetrics _metrics;
    private readonly TokenBucket? _requests;
    private readonly TokenBucket? _tokens;
    private int _running;

    public Caller(KeyGrant record, ServedModels models, TenantMetrics metrics, TimeProvider time)
    {
        (_record, _metrics) = (record, metrics);
        _requests = record.RequestsPerSecond is { } rate ? new TokenBucket(rate, Math.Max(1, rate), time) : null;
        _tokens = record.TokensPerMinute is { } tokens ? new TokenBucket(tokens / 60.0, tokens, time) : null;
        Models = models.Wrap(model => new CallerModel(model, this), model => Allows(model.Id));
    }

    public string Tenant => _record.Tenant;

    public bool IsAdmin => _record.Admin;

    /// <summary>The models it may use, each under its limits.</summary>
    public ServedModels Models { get; }

    /// <summary>The caller of a request.</summary>
    /// <exception cref="MmException">Unauthenticated where its key was not accepted.</exception>
    public static Caller Of(HttpContext http) => http.Features.Get<Caller>() ?? throw KeyRing.Refusal();

    /// <summary>Whether this is the caller of that record, with the same limits.</summary>
    public bool Is(KeyGrant record) => record with { Models = null } == _record with { Models = null }
        && (record.Models ?? []).SequenceEqual(_record.Models ?? []) && record.Models is null == _record.Models is null;

    /// <summary>Counts a request that this caller's limits, or the gateway's, turned down.</summary>
    public void Reject(Rejection reason) => _metrics.Reject(Tenant, reason);

    /// <summary>The request as this caller may send it.</summary>
    public ModelRequest Stamp(ModelRequest request) => request with
    {
        Tenant = Tenant,
        Priority = Math.Max(request.Priority, _record.PriorityCeiling ?? int.MinValue),
    };

    /// <summary>Begins a generation; <see cref="Leave"/> ends it.</summary>
    /// <exception cref="MmException">ResourceExhausted, with when to try again.</exception>
    public void Enter()
    {
        if (_tokens?.WaitFor(1) is { } tokens)
        {
            throw Over(Rejection.TokenRate, $"{_record.TokensPerMinute} tokens a minute", tokens);
        }
        if (Interlocked.Increment(ref _running) > (_record.Concurrency ?? int.MaxValue))
        {
            Interlocked.Decrement(ref _running);
            throw Over(Rejection.Concurrency, $"{_record.Concurrency} requests at once", TimeSpan.FromSeconds(1));
        }
        if (_requests?.TryTake(1) is { } requests)
        {
            Interlocked.Decrement(ref _running);
            throw Over(Rejection.RequestRate, FormattableString.Invariant($"{_record.RequestsPerSecond} requests a second"), requests);
        }
        _metrics.Begin(Tenant);
    }

    /// <summary>Charges what an entry used; a prompt is charged once a request, when its length is known.</summary>
    public void Charge(in SequenceOutput output)
    {
        int tokens = output.TokenIds.Length + (output.Choice == 0 ? output.Usage?.PromptTokens ?? 0 : 0);
        if (tokens > 0)
        {
            _tokens?.Charge(tokens);
            _metrics.CountTokens(Tenant, tokens);
        }
    }

    public void Leave() => Interlocked.Decrement(ref _running);

    private bool Allows(string model) => _record.Models is null || _record.Models.Contains(model, StringComparer.Ordinal);

    private MmException Over(Rejection reason, string limit, TimeSpan wait)
    {
        Reject(reason);
        return new MmException(MmErrorCode.ResourceExhausted, $"this key's limit of {limit} is reached; try again later") { RetryAfter = wait };
    }
}
