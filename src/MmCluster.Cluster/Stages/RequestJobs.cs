using System.Collections.Concurrent;
using MmCluster.Cluster.TensorLink;
using MmCluster.Models;

namespace MmCluster.Cluster.Stages;

/// <summary>
/// What a stage does for requests, an item each. It is kept while its request is renewed; when that is released, or renewed no more, or its gateway is gone, its jobs
/// are disposed of and the leases of what they made end. Safe to call from any thread.
/// </summary>
internal sealed class RequestJobs<TJob> : IAsyncDisposable
    where TJob : class, IDisposable
{
    private static readonly TimeSpan LeaseTime = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan SweepTime = LeaseTime / 6;

    private readonly TensorLinkEndpoint _link;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<(string Request, int Item), TJob> _jobs = [];
    private readonly ConcurrentDictionary<string, DateTimeOffset> _expiries = [];
    private readonly ConcurrentDictionary<string, Guid> _origins = [];
    private readonly GatewayWatch _gateways;
    private readonly ITimer _sweep;

    public RequestJobs(TensorLinkEndpoint link, TimeProvider time)
    {
        (_link, _time) = (link, time);
        _gateways = new GatewayWatch(link, ReleaseOf);
        _sweep = time.CreateTimer(_ => ReleaseExpired(), null, SweepTime, SweepTime);
    }

    /// <summary>Whether an item was submitted.</summary>
    public bool Has(string request, int item) => _jobs.ContainsKey((request, item));

    /// <summary>Takes an item's job; <paramref name="gateway"/> is where it comes from, null where that is not known.</summary>
    public void Add(string request, int item, TJob job, LinkAddress? gateway)
    {
        _jobs[(request, item)] = job;
        _expiries[request] = _time.GetUtcNow() + LeaseTime;
        if (gateway is not null)
        {
            _origins[request] = gateway.Incarnation;
            _gateways.Watch(gateway);
        }
    }

    /// <summary>What comes of an item, or null while it is not there after <paramref name="patience"/>.</summary>
    /// <exception cref="MmException">Why it failed; Unavailable: it is not known here.</exception>
    public async Task<TResult?> ResultAsync<TResult>(string request, int item, Func<TJob, Task<TResult>> result, TimeSpan patience)
        where TResult : class
    {
        if (!_jobs.TryGetValue((request, item), out TJob? job))
        {
            throw new MmException(MmErrorCode.Unavailable, $"item {item} of request {request} is not known here; submit it again");
        }
        Task<TResult> done = result(job);
        try
        {
            return await done.WaitAsync(patience, _time);
        }
        catch (TimeoutException) when (!done.IsFaulted)
        {
            // It may have been made since: whoever asks again gets it.
            return null;
        }
        catch (Exception error)
        {
            throw MmException.From(done.Exception?.InnerException ?? error);
        }
    }

    /// <summary>Keeps what requests that go on have here.</summary>
    public void Renew(IEnumerable<string> requests)
    {
        foreach (string request in requests.Where(_expiries.ContainsKey))
        {
            _expiries[request] = _time.GetUtcNow() + LeaseTime;
            _link.Renew(request);
        }
    }

    /// <summary>Ends requests; unknown ones are ignored.</summary>
    public void Release(IEnumerable<string> requests)
    {
        foreach (string request in requests.Where(request => _expiries.TryRemove(request, out _)))
        {
            foreach ((string Request, int Item) key in _jobs.Keys.Where(key => key.Request == request))
            {
                if (_jobs.TryRemove(key, out TJob? job))
                {
                    job.Dispose();
                }
            }
            _origins.TryRemove(request, out _);
            _link.Release(request);
        }
    }

    /// <summary>Ends all requests.</summary>
    public async ValueTask DisposeAsync()
    {
        await _sweep.DisposeAsync();
        Release([.. _expiries.Keys]);
    }

    private void ReleaseOf(LinkAddress gateway) =>
        Release([.. _origins.Where(origin => origin.Value == gateway.Incarnation).Select(origin => origin.Key)]);

    private void ReleaseExpired()
    {
        DateTimeOffset now = _time.GetUtcNow();
        Release([.. _expiries.Where(entry => entry.Value <= now).Select(entry => entry.Key)]);
    }
}
