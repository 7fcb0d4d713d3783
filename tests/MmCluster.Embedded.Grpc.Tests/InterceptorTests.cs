using Grpc.AspNetCore.Server;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.DependencyInjection;
using MmCluster.Embedded.Grpc.Tests.Hosting;
using MmCluster.Testing;

namespace MmCluster.Embedded.Grpc.Tests;

public sealed class InterceptorTests
{
    [Fact]
    public async Task Server_interceptors_wrap_every_kind_of_call_in_order()
    {
        var seen = new List<string>();
        await using EchoHost host = await EchoHost.StartAsync(
            grpc =>
            {
                grpc.Interceptors.Add<Recorder>("outer");
                grpc.Interceptors.Add<Recorder>("inner");
            },
            services => services.AddSingleton(seen));

        await host.Client.UnaryAsync(new Message());
        using (AsyncServerStreamingCall<Message> call = host.Client.ServerStream(new Message()))
        {
            Assert.False(await call.ResponseStream.MoveNext());
        }
        using (AsyncClientStreamingCall<Message, Message> call = host.Client.ClientStream())
        {
            await call.RequestStream.CompleteAsync();
            await call;
        }
        using (AsyncDuplexStreamingCall<Message, Message> call = host.Client.Duplex())
        {
            await call.RequestStream.CompleteAsync();
            Assert.False(await call.ResponseStream.MoveNext());
        }

        Assert.Equal(
            ["outer unary", "inner unary", "outer server", "inner server", "outer client", "inner client", "outer duplex", "inner duplex"], seen);
    }

    [Fact]
    public async Task An_interceptor_gets_its_settings_by_type_and_the_rest_from_the_services()
    {
        var seen = new List<string>();
        await using EchoHost host = await EchoHost.StartAsync(
            grpc => grpc.Interceptors.Add<Set>(TimeSpan.FromSeconds(3), 7),
            services => services.AddSingleton(seen));
        await host.Client.UnaryAsync(new Message());
        Assert.Equal(["7 00:00:03"], seen);
    }

    [Fact]
    public async Task A_services_own_interceptors_run_inside_the_common_ones()
    {
        var seen = new List<string>();
        await using EchoHost host = await EchoHost.StartAsync(
            grpc => grpc.Interceptors.Add<Recorder>("common"),
            services => services.AddSingleton(seen).AddGrpc().AddServiceOptions<EchoService>(own => own.Interceptors.Add<Recorder>("own")));
        await host.Client.UnaryAsync(new Message());
        Assert.Equal(["common unary", "own unary"], seen);
    }

    [Fact]
    public async Task A_registered_interceptor_is_shared_unless_it_is_given_arguments()
    {
        var seen = new List<string>();
        await using EchoHost host = await EchoHost.StartAsync(
            grpc =>
            {
                grpc.Interceptors.Add<Recorder>();
                grpc.Interceptors.Add<Recorder>("made");
            },
            services => services.AddSingleton(seen).AddSingleton(new Recorder(seen, "shared")));
        await host.Client.UnaryAsync(new Message());
        Assert.Equal(["shared unary", "made unary"], seen);
    }

    [Fact]
    public async Task Settings_that_no_constructor_takes_fail_the_call()
    {
        await using EchoHost host = await EchoHost.StartAsync(grpc => grpc.Interceptors.Add<Set>("text"), services => services.AddSingleton(new List<string>()));
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => host.Client.UnaryAsync(new Message()).ResponseAsync);
        Assert.Equal(StatusCode.Unknown, error.StatusCode);
        Assert.Null(host.Events.Last);
    }

    [Fact]
    public void Null_is_no_setting() => Assert.Throws<ArgumentException>(() => new InterceptorCollection().Add<Set>(1, null!));

    [Fact]
    public async Task A_server_interceptor_may_refuse_a_call()
    {
        await using EchoHost host = await EchoHost.StartAsync(grpc => grpc.Interceptors.Add<Refuser>());
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => host.Client.UnaryAsync(new Message()).ResponseAsync);
        Assert.Equal((StatusCode.Unauthenticated, "no key"), (error.StatusCode, error.Status.Detail));
        Assert.Null(host.Events.Last);
    }

    [Fact]
    public async Task Client_interceptors_run_in_order_and_may_add_headers()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        CallInvoker invoker = host.NewChannel()
            .Intercept(metadata =>
            {
                metadata.Add("x-head", "by function");
                return metadata;
            })
            .Intercept(new Tagger("first"), new Tagger("second"));
        using AsyncUnaryCall<Message> call = new Echo.EchoClient(invoker).UnaryAsync(new Message());

        Metadata headers = await call.ResponseHeadersAsync;

        Assert.Equal(["first", "second", "by function"], headers.GetAll("x-head").SelectMany(entry => entry.Value.Split(", ")));
    }

    private sealed class Recorder(List<string> seen, string name) : Interceptor
    {
        public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
            TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
        {
            seen.Add(name + " unary");
            return continuation(request, context);
        }

        public override Task ServerStreamingServerHandler<TRequest, TResponse>(
            TRequest request,
            IServerStreamWriter<TResponse> responseStream,
            ServerCallContext context,
            ServerStreamingServerMethod<TRequest, TResponse> continuation)
        {
            seen.Add(name + " server");
            return continuation(request, responseStream, context);
        }

        public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
            IAsyncStreamReader<TRequest> requestStream,
            ServerCallContext context,
            ClientStreamingServerMethod<TRequest, TResponse> continuation)
        {
            seen.Add(name + " client");
            return continuation(requestStream, context);
        }

        public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
            IAsyncStreamReader<TRequest> requestStream,
            IServerStreamWriter<TResponse> responseStream,
            ServerCallContext context,
            DuplexStreamingServerMethod<TRequest, TResponse> continuation)
        {
            seen.Add(name + " duplex");
            return continuation(requestStream, responseStream, context);
        }
    }

    private sealed class Set(List<string> seen, int number, TimeSpan span) : Interceptor
    {
        public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
            TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
        {
            seen.Add($"{number} {span}");
            return continuation(request, context);
        }
    }

    private sealed class Refuser : Interceptor
    {
        public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
            TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation) =>
            throw new RpcException(new Status(StatusCode.Unauthenticated, "no key"));
    }

    private sealed class Tagger(string name) : Interceptor
    {
        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
            TRequest request,
            ClientInterceptorContext<TRequest, TResponse> context,
            AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
        {
            var headers = new Metadata();
            foreach (Metadata.Entry entry in context.Options.Headers ?? Metadata.Empty)
            {
                headers.Add(entry);
            }
            headers.Add("x-head", name);
            return continuation(
                request, new ClientInterceptorContext<TRequest, TResponse>(context.Method, context.Host, context.Options.WithHeaders(headers)));
        }
    }
}
