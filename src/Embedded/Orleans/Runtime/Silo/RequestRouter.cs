using Orleans.Runtime.Messaging;
using Orleans.Runtime.Net;
using Orleans.Runtime.Placement;
using Orleans.Runtime.Silo;
using Orleans.Serialization;

namespace Orleans.Runtime;

/// <summary>Finds the way of each request in a silo: to an activation here, to another silo, to a client, to a service.</summary>
internal sealed class RequestRouter(SiloServices services, SiloNetwork network, SystemServices system, PlacementService placement, ClientLocator clients)
{
    private readonly Dictionary<GrainId, List<Request>> _addressing = [];

    public void Route(Request request)
    {
        GrainId target = request.Target;
        if (target.Type == SystemTargets.ServiceType)
        {
            RouteToService(request);
        }
        else if (target.Type == SystemTargets.ObserverType)
        {
            RouteToObserver(request);
        }
        else if (!services.Catalog.TryDeliver(request))
        {
            RouteToGrain(request);
        }
    }

    /// <summary>Sends on a request whose activation has ended, or was never here.</summary>
    public void Redirect(Request request)
    {
        services.Directory.Uncache(request.Target);
        request.IsForwardCounted = true;
        if (++request.ForwardCount > MostForwards(request))
        {
            request.Reject(new OrleansMessageRejectionException(
                $"{request.Method} to {request.Target} was sent on {services.MessagingOptions.MaxForwardCount} times and found no activation."));
            return;
        }
        request.IsPlacement = false;
        request.TargetSilo = null;
        try
        {
            Route(request);
        }
        catch (Exception error)
        {
            request.Reject(error);
        }
    }

    /// <summary>Sends on a request whose activation was not the one, to the one that is.</summary>
    public void RedirectTo(Request request, SiloAddress silo)
    {
        request.IsPlacement = false;
        try
        {
            SendOrDeliver(request, silo);
        }
        catch (Exception error)
        {
            request.Reject(error);
        }
    }

    private void RouteToService(Request request)
    {
        if (request.TargetSilo is null || request.TargetSilo.Equals(services.Self))
        {
            system.Receive(request);
        }
        else
        {
            Send(request, request.TargetSilo);
        }
    }

    private void RouteToObserver(Request request)
    {
        if (!SystemTargets.TryGetClient(request.Target, out Guid client))
        {
            request.Reject(new OrleansMessageRejectionException($"{request.Target} is no observer."));
        }
        else if (client == services.Runtime.ClientId)
        {
            if (!request.IsRemote)
            {
                request.DetachArguments();
            }
            services.Runtime.Observers.Receive(request);
        }
        else if (!network.TrySendToClient(client, request, WriteRequest))
        {
            if (!request.IsRemote)
            {
                request.DetachArguments();
            }
            _ = FindClientAsync(request, client);
        }
    }

    private async Task FindClientAsync(Request request, Guid client)
    {
        try
        {
            SiloAddress? gateway = request.ForwardCount < services.MessagingOptions.MaxForwardCount ? await clients.FindAsync(client) : null;
            if (gateway is null)
            {
                throw new ClientNotAvailableException($"The client {client:N} of {request.Target} is not connected to any silo.");
            }
            request.ForwardCount++;
            Send(request, gateway);
        }
        catch (Exception error)
        {
            request.Reject(error);
        }
    }

    private void RouteToGrain(Request request)
    {
        GrainClass? grainClass = services.GrainTypes.Find(request.Target.Type);
        if (grainClass is not null && (request.IsPlacement || grainClass.Placement is StatelessWorkerPlacement))
        {
            services.Catalog.Deliver(request, grainClass);
        }
        else if (services.Directory.TryGetCached(request.Target, out SiloAddress? silo) && !silo.Equals(services.Self))
        {
            Send(request, silo);
        }
        else
        {
            Address(request);
        }
    }

    // Requests of one grain that wait for its address wait together.
    private void Address(Request request)
    {
        if (!request.IsRemote)
        {
            request.DetachArguments();
        }
        lock (_addressing)
        {
            if (_addressing.TryGetValue(request.Target, out List<Request>? others))
            {
                others.Add(request);
                return;
            }
            _addressing[request.Target] = [request];
        }
        _ = AddressAsync(request);
    }

    private async Task AddressAsync(Request first)
    {
        SiloAddress? silo = null;
        bool placed = false;
        Exception? failure = null;
        try
        {
            (silo, placed) = await FindOrPlaceAsync(first);
        }
        catch (Exception error)
        {
            failure = error;
        }
        List<Request> waiting;
        lock (_addressing)
        {
            _addressing.Remove(first.Target, out waiting!);
        }
        foreach (Request request in waiting)
        {
            try
            {
                if (failure is not null)
                {
                    request.Reject(failure);
                    continue;
                }
                request.IsPlacement = placed;
                SendOrDeliver(request, silo!);
            }
            catch (Exception error)
            {
                request.Reject(error);
            }
        }
    }

    private async Task<(SiloAddress Silo, bool Placed)> FindOrPlaceAsync(Request request)
    {
        GrainAddress? address = await services.Directory.LookupAsync(request.Target);
        if (address is not null && address.SiloAddress!.Equals(services.Self) && services.Catalog.Find(request.Target) is null)
        {
            // An entry of this silo whose activation is gone: what was unregistered while the directory moved.
            await services.Directory.UnregisterAsync(address);
            address = null;
        }
        return address is not null ? (address.SiloAddress!, false) : (await placement.PlaceAsync(request), true);
    }

    private void SendOrDeliver(Request request, SiloAddress silo)
    {
        if (!silo.Equals(services.Self))
        {
            services.Directory.Cache(request.Target, silo);
            Send(request, silo);
        }
        else if (services.GrainTypes.Find(request.Target.Type) is { } grainClass)
        {
            services.Catalog.Deliver(request, grainClass);
        }
        else
        {
            throw new OrleansMessageRejectionException($"{services.Self} has no grain class '{request.Target.Type}'.");
        }
    }

    private void Send(Request request, SiloAddress silo)
    {
        request.TargetSilo = silo;
        // Who leaves first says so and then looks for calls with it as target: one of the two sees the other.
        Interlocked.MemoryBarrier();
        if (services.Directory.HasLeft(silo) && request.Target.Type != SystemTargets.ServiceType)
        {
            Redirect(request);
            return;
        }
        if (request.IsRemote)
        {
            request.ForwardCount += request.IsForwardCounted ? 0 : 1;
            request.IsForwardCounted = false;
            if (request.ForwardCount > MostForwards(request))
            {
                request.Reject(new OrleansMessageRejectionException($"{request.Method} to {request.Target} was sent on too often."));
                return;
            }
            services.RunningCancellable.Forward(request, silo);
            if (request.Cancellation is { IsCancellationRequested: true })
            {
                request.Reject(new OperationCanceledException(request.Cancellation.Token));
                return;
            }
        }
        else if (request.IsDone)
        {
            return; // the caller has given up while the grain was looked for
        }
        network.Send(silo, request, request, WriteRequest);
    }

    // One more than for messages of this process: a gateway's hop is no forward.
    private int MostForwards(Request request) => services.MessagingOptions.MaxForwardCount + (request.IsRemote ? 1 : 0);

    private static void WriteRequest(MessageWriter writer, Request request) =>
        Envelope.WriteRequest(writer, request, request.Runtime.TimeLeft(request));
}
