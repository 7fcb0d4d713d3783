using Grpc.Core;

namespace Grpc.Net.Client.Internal;

/// <summary>Starts calls over a channel. As with grpc-dotnet, a call's host is not used: the channel's address names it.</summary>
internal sealed class HttpCallInvoker(GrpcChannel channel) : CallInvoker
{
    public override TResponse BlockingUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        using AsyncUnaryCall<TResponse> call = AsyncUnaryCall(method, host, options, request);
        return call.GetAwaiter().GetResult();
    }

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        var call = new GrpcCall<TRequest, TResponse>(channel, method, options);
        return new AsyncUnaryCall<TResponse>(
            call.RunAsync(call.ContentOf(request)),
            static state => ((GrpcCall)state).HeadersAsync(),
            static state => ((GrpcCall)state).GetStatus(),
            static state => ((GrpcCall)state).GetTrailers(),
            static state => ((GrpcCall)state).Dispose(),
            call);
    }

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        var call = new GrpcCall<TRequest, TResponse>(channel, method, options);
        return new AsyncServerStreamingCall<TResponse>(
            new ClientStreamReader<TRequest, TResponse>(call, call.OpenAsync(call.ContentOf(request))),
            static state => ((GrpcCall)state).HeadersAsync(),
            static state => ((GrpcCall)state).GetStatus(),
            static state => ((GrpcCall)state).GetTrailers(),
            static state => ((GrpcCall)state).Dispose(),
            call);
    }

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options)
    {
        var call = new GrpcCall<TRequest, TResponse>(channel, method, options);
        var writer = new ClientStreamWriter<TRequest, TResponse>(call);
        return new AsyncClientStreamingCall<TRequest, TResponse>(
            writer,
            call.RunAsync(writer.Content),
            static state => ((GrpcCall)state).HeadersAsync(),
            static state => ((GrpcCall)state).GetStatus(),
            static state => ((GrpcCall)state).GetTrailers(),
            static state => ((GrpcCall)state).Dispose(),
            call);
    }

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options)
    {
        var call = new GrpcCall<TRequest, TResponse>(channel, method, options);
        var writer = new ClientStreamWriter<TRequest, TResponse>(call);
        return new AsyncDuplexStreamingCall<TRequest, TResponse>(
            writer,
            new ClientStreamReader<TRequest, TResponse>(call, call.OpenAsync(writer.Content)),
            static state => ((GrpcCall)state).HeadersAsync(),
            static state => ((GrpcCall)state).GetStatus(),
            static state => ((GrpcCall)state).GetTrailers(),
            static state => ((GrpcCall)state).Dispose(),
            call);
    }
}
