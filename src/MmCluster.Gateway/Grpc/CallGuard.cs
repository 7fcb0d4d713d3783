using Grpc.Core;
using Grpc.Core.Interceptors;
using MmCluster.Gateway.Keys;
using MmCluster.Gateway.Metrics;

namespace MmCluster.Gateway.Grpc;

/// <summary>Around every call: lets it in only with an accepted key, and turns what it throws into a status. Health and liveness need no key.</summary>
internal sealed class CallGuard(TenantMetrics metrics) : Interceptor
{
    private static readonly HashSet<string> Open =
    [
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/inference.GRPCInferenceService/ServerLive",
        "/inference.GRPCInferenceService/ServerReady",
    ];

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        Check(context);
        try
        {
            return await continuation(request, context);
        }
        catch (Exception error) when (IsOurs(error, context))
        {
            throw RpcErrors.From(error);
        }
    }

    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Check(context);
        try
        {
            return await continuation(requestStream, context);
        }
        catch (Exception error) when (IsOurs(error, context))
        {
            throw RpcErrors.From(error);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Check(context);
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception error) when (IsOurs(error, context))
        {
            throw RpcErrors.From(error);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Check(context);
        try
        {
            await continuation(requestStream, responseStream, context);
        }
        catch (Exception error) when (IsOurs(error, context))
        {
            throw RpcErrors.From(error);
        }
    }

    // Whoever went away, or ran out of time, has its status already from the layer below.
    private static bool IsOurs(Exception error, ServerCallContext context) =>
        error is not RpcException && !context.CancellationToken.IsCancellationRequested;

    private void Check(ServerCallContext context)
    {
        if (!Open.Contains(context.Method) && context.GetHttpContext().Features.Get<Caller>() is null)
        {
            metrics.Reject("", Rejection.Key);
            throw RpcErrors.From(KeyRing.Refusal());
        }
    }
}
