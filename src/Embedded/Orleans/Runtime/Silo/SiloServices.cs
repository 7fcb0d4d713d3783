using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Runtime.Catalog;
using Orleans.Runtime.Directory;
using Orleans.Runtime.Messaging;

namespace Orleans.Runtime;

/// <summary>What the parts of a silo share; filled once while the host is built.</summary>
internal sealed class SiloServices
{
    public required IServiceProvider Provider { get; init; }

    public required ILogger Logger { get; init; }

    public required TimeProvider Time { get; init; }

    public required TurnOptions TurnOptions { get; init; }

    public required SiloMessagingOptions MessagingOptions { get; init; }

    public required GrainCollectionOptions CollectionOptions { get; init; }

    public required GrainTypes GrainTypes { get; init; }

    public required SiloAddress Self { get; init; }

    public GrainFactories GrainFactories { get; } = new();

    public CancellableRequests RunningCancellable { get; } = new();

    public ReferenceRuntime Runtime { get; set; } = null!;

    public IGrainFactory GrainFactory { get; set; } = null!;

    public GrainLocator Directory { get; set; } = null!;

    public RequestRouter Router { get; set; } = null!;

    public ActivationCatalog Catalog { get; set; } = null!;
}

/// <summary>The requests that run here and whose callers may cancel them, by who called.</summary>
internal sealed class CancellableRequests
{
    private readonly ConcurrentDictionary<(SiloAddress? Silo, Guid Client, ulong Id), Request> _requests = new();

    private const int MaxForwarded = 10_000;

    private readonly ConcurrentDictionary<(SiloAddress? Silo, Guid Client, ulong Id), (SiloAddress Silo, long Deadline)> _forwarded = new();

    /// <summary>Gives a request its token, if its method takes one.</summary>
    public void Add(Request request)
    {
        if (request.Cancellation is null && (request.Method.Traits & MethodTraits.Cancellable) != 0)
        {
            request.Cancellation = new CancellationTokenSource();
            _requests[Key(request)] = request;
        }
    }

    public void Remove(Request request)
    {
        if (request.Cancellation is not null && (request.Method.Traits & MethodTraits.Cancellable) != 0)
        {
            _requests.TryRemove(Key(request), out _);
        }
    }

    /// <summary>Remembers where a request of another process went, until its caller would have given up.</summary>
    public void Forward(Request request, SiloAddress silo)
    {
        if ((request.Method.Traits & MethodTraits.Cancellable) == 0)
        {
            return;
        }
        long now = request.Runtime.Pending.Now;
        if (_forwarded.Count > MaxForwarded)
        {
            foreach ((var key, (_, long deadline)) in _forwarded)
            {
                if (deadline < now)
                {
                    _forwarded.TryRemove(key, out _);
                }
            }
        }
        _forwarded[Key(request)] = (silo, request.DeadlineTick == 0 ? long.MaxValue : request.DeadlineTick);
        Remove(request);
    }

    public bool TryGetForwarded(SiloAddress? origin, Guid client, ulong id, out SiloAddress silo)
    {
        bool found = _forwarded.TryGetValue((origin, client, id), out (SiloAddress Silo, long) entry);
        silo = entry.Silo;
        return found;
    }

    public Request? Find(SiloAddress? silo, Guid client, ulong id) => _requests.GetValueOrDefault((silo, client, id));

    private static (SiloAddress?, Guid, ulong) Key(Request request) => (request.OriginSilo, request.OriginClient, request.CorrelationId);
}
