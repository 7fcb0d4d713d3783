using Microsoft.Extensions.Logging;
using Orleans.Runtime.Messaging;
using Orleans.Runtime.Net;
using Orleans.Serialization;

namespace Orleans.Runtime.Silo;

/// <summary>A silo's end of all calls: takes frames from connections and sends outcomes back.</summary>
internal sealed partial class SiloRuntime(SiloServices services)
    : ReferenceRuntime(services.MessagingOptions, services.Time, services.Logger, services.GrainTypes), IFrameHandler
{
    private readonly Guid _clientId = Guid.NewGuid();

    public SiloNetwork Network { get; set; } = null!;

    public ClientLocator Clients { get; set; } = null!;

    public override Guid ClientId => _clientId;

    public override void Dispatch(Request request) => services.Router.Route(request);

    public override void SendResponse(Request request, Exception? error)
    {
        try
        {
            (Request, Exception?) state = (request, error);
            if (request.OriginSilo is { } silo)
            {
                Network.Send(silo, null, state, static (writer, state) => Envelope.WriteResponse(writer, state.Item1, null, state.Item2));
            }
            else
            {
                Network.TrySendToClient(request.OriginClient, state, static (writer, state) => Envelope.WriteResponse(writer, state.Item1, null, state.Item2));
            }
        }
        catch (Exception failure)
        {
            LogResponseLost(Logger, request.Method, (object?)request.OriginSilo ?? "a client", failure.Message);
        }
    }

    public override void SendCancel(Request request, ulong correlationId)
    {
        if (request.TargetSilo is { } silo && !silo.Equals(services.Self))
        {
            ForwardCancel(silo, correlationId, request.Target, null, Guid.Empty);
        }
        else
        {
            Cancel(null, Guid.Empty, correlationId);
        }
    }

    /// <summary>Fails the calls that were sent to a silo that is lost.</summary>
    public void OnSiloLost(SiloAddress silo, string why)
    {
        foreach (Request request in Pending.Find(request => silo.Equals(request.TargetSilo)))
        {
            services.Directory.Uncache(request.Target);
            request.TryFail(new SiloUnavailableException($"The target silo became unavailable for {request.Method} to {request.Target}: {why}"));
        }
    }

    public void OnFrame(Connection connection, FrameType type, byte[] data, int offset, int count)
    {
        switch (type)
        {
            case FrameType.Request:
                if (RequestReader.Read(this, connection, data, offset, count, SendResponse) is { } request)
                {
                    Receive(request);
                }
                break;
            case FrameType.Response:
                OnResponse(connection, data, offset, count);
                break;
            case FrameType.Cancel:
                OnCancel(connection, data, offset, count);
                break;
            default:
                throw new InvalidDataException($"a frame of type {(byte)type} is not expected here");
        }
    }

    public void OnClosed(Connection connection, Exception? error)
    {
        Network.OnClosed(connection, error);
        if (connection.PeerClient is var client && client != Guid.Empty && !Network.HasClient(client))
        {
            foreach (Request request in Pending.Find(request => SystemTargets.TryGetClient(request.Target, out Guid owner) && owner == client))
            {
                request.TryFail(new ClientNotAvailableException($"The client {client:N} of {request.Target} has disconnected."));
            }
        }
    }

    private void Receive(Request request)
    {
        try
        {
            // From here on a cancellation finds it, even while it waits for its grain's address.
            services.RunningCancellable.Add(request);
            services.Router.Route(request);
        }
        catch (Exception error)
        {
            request.Reject(error);
        }
    }

    private void OnResponse(Connection connection, byte[] data, int offset, int count)
    {
        MessageReader reader = MessageReader.Rent(data, offset, count, this);
        try
        {
            ResponseHeader header = ResponseHeader.Read(reader);
            if (header.TargetSilo is { } silo && !silo.Equals(services.Self))
            {
                header.TargetSilo = null;
                Forward(header, reader.Rest.ToArray(), silo);
            }
            else if (header.Client != Guid.Empty)
            {
                header.Responder = connection.PeerSilo;
                Network.TrySendToClient(header.Client, (header, Body: reader.Rest.ToArray()), static (writer, state) => Envelope.WriteForwarded(writer, state.header, state.Body));
            }
            else if (Pending.Remove(header.CorrelationId) is { } request)
            {
                // An answer from elsewhere says where the grain is now.
                if (connection.PeerSilo is { } peer && !peer.Equals(request.TargetSilo) && request.Target.Type != SystemTargets.ObserverType)
                {
                    services.Directory.Cache(request.Target, peer);
                }
                RequestReader.Complete(request, header.Status, reader);
            }
        }
        finally
        {
            reader.Return();
        }
    }

    private void Forward(ResponseHeader header, byte[] body, SiloAddress silo)
    {
        try
        {
            Network.Send(silo, null, (header, body), static (writer, state) => Envelope.WriteForwarded(writer, state.header, state.body));
        }
        catch (OrleansException error)
        {
            LogResponseLost(Logger, null, silo, error.Message);
        }
    }

    private void OnCancel(Connection connection, byte[] data, int offset, int count)
    {
        MessageReader reader = MessageReader.Rent(data, offset, count, this);
        try
        {
            ulong id = reader.ReadVarUInt64();
            SiloAddress? origin = Hello.ReadSilo(reader) ?? connection.PeerSilo;
            Guid client = new(reader.ReadRaw(16));
            GrainId target = connection.GrainIds.Read(reader);
            client = connection.PeerClient != Guid.Empty ? connection.PeerClient : client;
            if (services.RunningCancellable.TryGetForwarded(origin, client, id, out SiloAddress silo))
            {
                ForwardCancel(silo, id, target, origin, client);
            }
            else
            {
                Cancel(origin, client, id);
            }
        }
        finally
        {
            reader.Return();
        }
    }

    private void ForwardCancel(SiloAddress silo, ulong id, GrainId target, SiloAddress? origin, Guid client)
    {
        try
        {
            Network.Send(silo, null, (id, target, origin, client), static (writer, state) =>
                Envelope.WriteCancel(writer, state.id, state.target, state.origin, state.client));
        }
        catch (OrleansException)
        {
            // The silo is gone, and what it ran with it.
        }
    }

    // The token is cancelled in a turn of the grain, as its callbacks are the grain's code.
    private void Cancel(SiloAddress? silo, Guid client, ulong id)
    {
        if (services.RunningCancellable.Find(silo, client, id) is not { Cancellation: { } cancellation } request)
        {
            return;
        }
        if (services.Catalog.Find(request.Target) is { } activation)
        {
            activation.Turns.Post(static state => ((CancellationTokenSource)state!).Cancel(), cancellation);
        }
        else
        {
            cancellation.Cancel();
        }
    }

    [LoggerMessage(EventId = 1721, Level = LogLevel.Information, Message = "The response of {Method} could not be sent to {Target}: {Reason}.")]
    private static partial void LogResponseLost(ILogger logger, MethodDescriptor? method, object target, string reason);
}
