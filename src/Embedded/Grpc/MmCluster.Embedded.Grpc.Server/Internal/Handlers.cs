using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Http;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>One request, one response.</summary>
internal sealed class UnaryHandler<TRequest, TResponse>(
    Method<TRequest, TResponse> method,
    MethodOptions options,
    CallServices services,
    Func<HttpContext, TRequest, ServerCallContext, Task<TResponse>> invoke) : CallHandler(method, options, services)
    where TRequest : class
    where TResponse : class
{
    protected override async Task RunAsync(HttpCallContext call)
    {
        TRequest request = await ReadRequestAsync(call, method.RequestMarshaller);
        TResponse response = await InvokeAsync(call, request);
        await WriteResponseAsync(call, method.ResponseMarshaller, response);
    }

    private Task<TResponse> InvokeAsync(HttpCallContext call, TRequest first)
    {
        HttpContext http = call.HttpContext;
        if (Options.Interceptors.Length == 0)
        {
            return invoke(http, first, call);
        }
        UnaryServerMethod<TRequest, TResponse> chain = (request, context) => invoke(http, request, context);
        foreach (Interceptor interceptor in InterceptorsOf(http))
        {
            UnaryServerMethod<TRequest, TResponse> next = chain;
            chain = (request, context) => interceptor.UnaryServerHandler(request, context, next);
        }
        return chain(first, call);
    }
}

/// <summary>Many requests, one response.</summary>
internal sealed class ClientStreamingHandler<TRequest, TResponse>(
    Method<TRequest, TResponse> method,
    MethodOptions options,
    CallServices services,
    Func<HttpContext, IAsyncStreamReader<TRequest>, ServerCallContext, Task<TResponse>> invoke) : CallHandler(method, options, services)
    where TRequest : class
    where TResponse : class
{
    protected override async Task RunAsync(HttpCallContext call)
    {
        HttpContext http = call.HttpContext;
        LiftRequestLimits(http);
        ClientStreamingServerMethod<TRequest, TResponse> chain = (requests, context) => invoke(http, requests, context);
        foreach (Interceptor interceptor in InterceptorsOf(http))
        {
            ClientStreamingServerMethod<TRequest, TResponse> next = chain;
            chain = (requests, context) => interceptor.ClientStreamingServerHandler(requests, context, next);
        }
        TResponse response = await chain(new ServerStreamReader<TRequest>(call, method.RequestMarshaller.ContextualDeserializer), call);
        await WriteResponseAsync(call, method.ResponseMarshaller, response);
    }
}

/// <summary>One request, many responses.</summary>
internal sealed class ServerStreamingHandler<TRequest, TResponse>(
    Method<TRequest, TResponse> method,
    MethodOptions options,
    CallServices services,
    Func<HttpContext, TRequest, IServerStreamWriter<TResponse>, ServerCallContext, Task> invoke) : CallHandler(method, options, services)
    where TRequest : class
    where TResponse : class
{
    protected override async Task RunAsync(HttpCallContext call)
    {
        HttpContext http = call.HttpContext;
        TRequest first = await ReadRequestAsync(call, method.RequestMarshaller);
        ServerStreamingServerMethod<TRequest, TResponse> chain = (request, responses, context) => invoke(http, request, responses, context);
        foreach (Interceptor interceptor in InterceptorsOf(http))
        {
            ServerStreamingServerMethod<TRequest, TResponse> next = chain;
            chain = (request, responses, context) => interceptor.ServerStreamingServerHandler(request, responses, context, next);
        }
        await StreamedResponse.RunAsync(
            call, chain(first, new ServerStreamWriter<TResponse>(call, method.ResponseMarshaller.ContextualSerializer), call));
    }
}

/// <summary>Many requests, many responses.</summary>
internal sealed class DuplexHandler<TRequest, TResponse>(
    Method<TRequest, TResponse> method,
    MethodOptions options,
    CallServices services,
    Func<HttpContext, IAsyncStreamReader<TRequest>, IServerStreamWriter<TResponse>, ServerCallContext, Task> invoke)
    : CallHandler(method, options, services)
    where TRequest : class
    where TResponse : class
{
    protected override async Task RunAsync(HttpCallContext call)
    {
        HttpContext http = call.HttpContext;
        LiftRequestLimits(http);
        DuplexStreamingServerMethod<TRequest, TResponse> chain = (requests, responses, context) => invoke(http, requests, responses, context);
        foreach (Interceptor interceptor in InterceptorsOf(http))
        {
            DuplexStreamingServerMethod<TRequest, TResponse> next = chain;
            chain = (requests, responses, context) => interceptor.DuplexStreamingServerHandler(requests, responses, context, next);
        }
        await StreamedResponse.RunAsync(call, chain(
            new ServerStreamReader<TRequest>(call, method.RequestMarshaller.ContextualDeserializer),
            new ServerStreamWriter<TResponse>(call, method.ResponseMarshaller.ContextualSerializer),
            call));
    }
}

/// <summary>Lets what a handler wrote leave before its status, however the handler ended.</summary>
internal static class StreamedResponse
{
    public static async Task RunAsync(HttpCallContext call, Task handler)
    {
        try
        {
            await handler;
        }
        finally
        {
            if (!call.HasEnded)
            {
                await call.Pump.FlushAsync();
            }
        }
    }
}
