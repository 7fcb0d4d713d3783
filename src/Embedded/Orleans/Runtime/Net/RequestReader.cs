using Orleans.Runtime.Messaging;
using Orleans.Serialization;

namespace Orleans.Runtime.Net;

/// <summary>Turns request frames into requests. What is wrong behind the header is the caller's error, not the connection's.</summary>
internal static class RequestReader
{
    /// <summary>Reads a request; null where it was answered with an error, by <paramref name="refuse"/>.</summary>
    public static Request? Read(ReferenceRuntime runtime, Connection connection, byte[] data, int offset, int count, Action<Request, Exception> refuse)
    {
        MessageReader reader = MessageReader.Rent(data, offset, count, runtime);
        try
        {
            RequestHeader header = RequestHeader.Read(reader, connection.GrainIds);
            MethodDescriptor? method = Interfaces.FindMethod(header.InterfaceId, header.MethodId);
            Request request = method?.CreateRequest() ?? new UnknownRequest();
            request.Runtime = runtime;
            request.CorrelationId = header.CorrelationId;
            request.Target = header.Target;
            request.Context = header.Context;
            request.ForwardCount = header.ForwardCount;
            request.IsPlacement = (header.Flags & RequestHeader.Bits.Placement) != 0;
            request.OriginSilo = header.OriginSilo ?? connection.PeerSilo;
            request.OriginClient = header.Client != Guid.Empty ? header.Client : connection.PeerClient;
            request.DeadlineTick = header.TimeLeftMilliseconds == 0 ? 0
                : runtime.Pending.DeadlineAfter(TimeSpan.FromMilliseconds(header.TimeLeftMilliseconds));
            if (method is null)
            {
                if ((header.Flags & RequestHeader.Bits.OneWay) == 0)
                {
                    refuse(request, new OrleansMessageRejectionException(
                        $"No method {header.InterfaceId:X8}.{header.MethodId:X8} is known here; {header.Target} was called with it."));
                }
                return null;
            }
            try
            {
                request.ReadArguments(reader);
            }
            catch (Exception error) // a converter or constructor of the application may throw anything
            {
                if (!method.IsOneWay)
                {
                    refuse(request, new OrleansMessageRejectionException($"The arguments of {method} could not be read: {error.Message}"));
                }
                return null;
            }
            return request;
        }
        finally
        {
            reader.Return();
        }
    }

    /// <summary>Completes the call that a response frame answers.</summary>
    public static void Complete(Request request, ResponseStatus status, MessageReader reader)
    {
        try
        {
            WireType wire = reader.Remaining == 0 ? WireType.Null : reader.ReadHeader(out _);
            if (status == ResponseStatus.Success)
            {
                request.ReadResult(reader, wire);
            }
            else
            {
                request.TryFail(Orleans.Serialization.Codecs.ExceptionEnvelope.Read(reader, wire));
            }
        }
        catch (Exception error) // a converter or constructor of the application may throw anything
        {
            request.TryFail(new OrleansException($"The response of {request.Method} could not be read: {error.Message}", error));
        }
    }

    /// <summary>Carries the way back of a request whose method is not known here.</summary>
    private sealed class UnknownRequest : TaskResultRequest<Nothing>
    {
        private static readonly MethodDescriptor Unknown = new("?", "?", MethodTraits.None, 0, static () => new UnknownRequest());

        public override MethodDescriptor Method => Unknown;

        public override void WriteArguments(MessageWriter writer)
        {
        }

        public override void ReadArguments(MessageReader reader)
        {
        }

        public override void CopyArguments(CopyContext context)
        {
        }

        public override void Run(IRequestHost host, object target) => Return(host, new NotSupportedException("the method is unknown."));
    }
}
