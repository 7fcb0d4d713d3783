using Google.Protobuf;
using Grpc.Core;
using MmCluster.Testing;

namespace MmCluster.Embedded.Grpc.Tests.Hosting;

/// <summary>What tests watch from outside a call.</summary>
internal sealed class EchoEvents
{
    /// <summary>Ends when a handler that waits has begun to.</summary>
    public TaskCompletionSource Waiting { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends when a handler that waits was cancelled.</summary>
    public TaskCompletionSource Cancelled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What the last call was, as its context told.</summary>
    public CallFacts? Last { get; set; }

    public sealed record CallFacts(string Method, string Host, string Peer, DateTime Deadline);
}

internal sealed class EchoService(EchoEvents events) : Echo.EchoBase
{
    public override async Task<Message> Unary(Message request, ServerCallContext context)
    {
        events.Last = new EchoEvents.CallFacts(context.Method, context.Host, context.Peer, context.Deadline);
        await ReflectMetadataAsync(context);
        await ObeyAsync(request, context);
        return request.Ask == Ask.Size ? new Message { Data = UnsafeByteOperations.UnsafeWrap(new byte[request.Size]) } : request;
    }

    public override async Task ServerStream(Message request, IServerStreamWriter<Message> responseStream, ServerCallContext context)
    {
        await ReflectMetadataAsync(context);
        for (int i = 0; i < request.Count; i++)
        {
            await responseStream.WriteAsync(new Message { Count = i, Text = request.Text, Data = request.Data });
        }
        await ObeyAsync(request, context);
    }

    public override async Task<Message> ClientStream(IAsyncStreamReader<Message> requestStream, ServerCallContext context)
    {
        int count = 0;
        int bytes = 0;
        while (await requestStream.MoveNext(context.CancellationToken))
        {
            count++;
            bytes += requestStream.Current.Data.Length;
            await ObeyAsync(requestStream.Current, context);
            if (requestStream.Current.Ask == Ask.Return)
            {
                break;
            }
        }
        return new Message { Count = count, Size = bytes };
    }

    public override async Task Duplex(
        IAsyncStreamReader<Message> requestStream, IServerStreamWriter<Message> responseStream, ServerCallContext context)
    {
        while (await requestStream.MoveNext(context.CancellationToken))
        {
            await ObeyAsync(requestStream.Current, context);
            if (requestStream.Current.Ask == Ask.Return)
            {
                break;
            }
            await responseStream.WriteAsync(requestStream.Current);
        }
    }

    /// <summary>Entries x-head* come back as headers, x-trail* as trailers.</summary>
    private static async Task ReflectMetadataAsync(ServerCallContext context)
    {
        var headers = new Metadata();
        foreach (Metadata.Entry entry in context.RequestHeaders)
        {
            if (entry.Key.StartsWith("x-head", StringComparison.Ordinal) || entry.Key == "grpc-internal-encoding-request")
            {
                headers.Add(entry);
            }
            if (entry.Key.StartsWith("x-trail", StringComparison.Ordinal))
            {
                context.ResponseTrailers.Add(entry);
            }
        }
        if (headers.Count > 0)
        {
            await context.WriteResponseHeadersAsync(headers);
        }
    }

    private async Task ObeyAsync(Message request, ServerCallContext context)
    {
        switch (request.Ask)
        {
            case Ask.Fail:
                throw new RpcException(
                    new Status((StatusCode)request.Code, request.Text),
                    new Metadata { { "x-why", "asked" }, { "grpc-status-details-bin", [8, 5] } });
            case Ask.Throw:
                throw new InvalidTimeZoneException("secret of the handler");
            case Ask.Wait:
                events.Waiting.TrySetResult();
                try
                {
                    await Task.Delay(Timeout.Infinite, context.CancellationToken);
                }
                finally
                {
                    events.Cancelled.TrySetResult();
                }
                break;
            default:
                break;
        }
    }
}
