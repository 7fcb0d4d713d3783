using System.Collections.Concurrent;
using Orleans.Configuration;
using Orleans.Runtime.Messaging;
using Orleans.Runtime.Placement;

namespace Orleans.Runtime.Catalog;

/// <summary>The activations of a silo.</summary>
internal sealed class ActivationCatalog : IActivationOwner, IDisposable
{
    private readonly ConcurrentDictionary<GrainId, ActivationData> _activations = new();
    private readonly ConcurrentDictionary<GrainId, WorkerPool> _workers = new();
    private readonly SiloServices _services;
    private readonly ITimer _collector;
    private volatile bool _stopped;

    public ActivationCatalog(SiloServices services)
    {
        _services = services;
        TimeSpan quantum = services.CollectionOptions.CollectionQuantum;
        _collector = services.Time.CreateTimer(_ => CollectIdle(null), null, quantum, quantum);
    }

    public int Count => _activations.Count + _workers.Values.Sum(pool => pool.Count);

    public IEnumerable<ActivationData> All => _activations.Values.Concat(_workers.Values.SelectMany(pool => pool.All));

    public ActivationData? Find(GrainId id) => _activations.GetValueOrDefault(id);

    /// <summary>Hands a request to an activation that is here; false where there is none.</summary>
    public bool TryDeliver(Request request)
    {
        if (!_activations.TryGetValue(request.Target, out ActivationData? activation))
        {
            return false;
        }
        Prepare(request);
        return activation.TryReceive(request);
    }

    /// <summary>Hands a request to the activation of its grain here, which is made if it is not there.</summary>
    public void Deliver(Request request, GrainClass grainClass)
    {
        if (_stopped)
        {
            if (!grainClass.UsesDirectory)
            {
                throw new SiloUnavailableException($"{_services.Self} is stopping and activates no more grains.");
            }
            _services.Router.Redirect(request); // who placed it here had not heard of it yet
            return;
        }
        Prepare(request);
        if (grainClass.Placement is StatelessWorkerPlacement workers)
        {
            _workers.GetOrAdd(request.Target, static (_, state) => new WorkerPool(state.Services, state.Class, state.Max),
                (Services: _services, Class: grainClass, Max: workers.MaxLocal)).Deliver(request);
            return;
        }
        while (true)
        {
            ActivationData activation = _activations.GetOrAdd(request.Target, static (id, state) => state.Self.Make(id, state.Class), (Self: this, Class: grainClass));
            if (activation.TryReceive(request))
            {
                activation.BeginOnce(request.Context);
                return;
            }
            Forget(activation);
        }
    }

    public void Forget(ActivationData activation) =>
        _activations.TryRemove(KeyValuePair.Create(activation.GrainId, activation));

    /// <summary>Ends activations that nobody has used for their age, or for <paramref name="age"/>.</summary>
    public int CollectIdle(TimeSpan? age)
    {
        int collected = 0;
        foreach (ActivationData activation in All)
        {
            TimeSpan limit = AgeOf(activation.GrainClass);
            if (limit == Timeout.InfiniteTimeSpan || !activation.IsCollectable(age ?? limit))
            {
                continue;
            }
            activation.Deactivate(new DeactivationReason(DeactivationReasonCode.ActivationIdle, "It was idle for too long."));
            collected++;
        }
        return collected;
    }

    /// <summary>Ends all activations and waits for them; new ones are refused from now on.</summary>
    public async Task DeactivateAllAsync(CancellationToken stop)
    {
        _stopped = true;
        ActivationData[] all = [.. All];
        foreach (ActivationData activation in all)
        {
            activation.Deactivate(new DeactivationReason(DeactivationReasonCode.ShuttingDown, "The silo is shutting down."), CancellationToken.None);
        }
        await Task.WhenAll(all.Select(activation => activation.Deactivated)).WaitAsync(stop);
    }

    public void Dispose()
    {
        _stopped = true;
        _collector.Dispose();
    }

    private void Prepare(Request request)
    {
        if (!request.IsRemote)
        {
            request.DetachArguments();
        }
        _services.RunningCancellable.Add(request);
    }

    private ActivationData Make(GrainId id, GrainClass grainClass) => new(_services, grainClass, new GrainAddress
    {
        GrainId = id,
        ActivationId = ActivationId.NewId(),
        SiloAddress = _services.Self,
    }, this);

    private TimeSpan AgeOf(GrainClass grainClass)
    {
        GrainCollectionOptions options = _services.CollectionOptions;
        return options.ClassSpecificCollectionAge.TryGetValue(grainClass.Class.FullName!, out TimeSpan age) ? age
            : grainClass.IdleAge ?? options.CollectionAge;
    }

    /// <summary>The activations of one stateless worker: a request goes to an idle one, a new one, or the least loaded.</summary>
    private sealed class WorkerPool(SiloServices services, GrainClass grainClass, int max) : IActivationOwner
    {
        private readonly List<ActivationData> _workers = [];

        public int Count
        {
            get
            {
                lock (_workers)
                {
                    return _workers.Count;
                }
            }
        }

        public ActivationData[] All
        {
            get
            {
                lock (_workers)
                {
                    return [.. _workers];
                }
            }
        }

        public void Deliver(Request request)
        {
            ActivationData worker;
            do
            {
                lock (_workers)
                {
                    worker = Choose(request.Target);
                }
            }
            while (!worker.TryReceive(request));
            worker.BeginOnce(request.Context);
        }

        public void Forget(ActivationData activation)
        {
            lock (_workers)
            {
                _workers.Remove(activation);
            }
        }

        private ActivationData Choose(GrainId id)
        {
            ActivationData? best = _workers.Where(worker => worker.State != ActivationState.Deactivating).MinBy(worker => worker.Load);
            if (best is not null && (best.Load == 0 || _workers.Count >= max))
            {
                return best;
            }
            ActivationData made = new(services, grainClass, new GrainAddress
            {
                GrainId = id,
                ActivationId = ActivationId.NewId(),
                SiloAddress = services.Self,
            }, this);
            _workers.Add(made);
            return made;
        }
    }
}
