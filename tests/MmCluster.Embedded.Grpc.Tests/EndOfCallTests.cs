using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using MmCluster.Embedded.Grpc.Tests.Hosting;
using MmCluster.Testing;

namespace MmCluster.Embedded.Grpc.Tests;

/// <summary>Statuses, deadlines, cancellation.</summary>
public sealed class EndOfCallTests
{
    [Fact]
    public async Task A_handlers_status_arrives_with_detail_and_trailers()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        var request = new Message { Ask = Ask.Fail, Code = (int)StatusCode.AlreadyExists, Text = "50% für\ndich\u20ac%" };

        RpcException error = await Assert.ThrowsAsync<RpcException>(() => host.Client.UnaryAsync(request).ResponseAsync);

        Assert.Equal(StatusCode.AlreadyExists, error.StatusCode);
        Assert.Equal("50% für\ndich\u20ac%", error.Status.Detail);
        Assert.Equal("asked", error.Trailers.GetValue("x-why"));
        Assert.Equal([8, 5], error.Trailers.GetValueBytes("grpc-status-details-bin"));
    }

    [Fact]
    public async Task A_stream_that_fails_delivers_what_was_written_before()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        using AsyncServerStreamingCall<Message> call =
            host.Client.ServerStream(new Message { Count = 3, Ask = Ask.Fail, Code = (int)StatusCode.DataLoss, Text = "late" });

        for (int i = 0; i < 3; i++)
        {
            Assert.True(await call.ResponseStream.MoveNext());
        }
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());

        Assert.Equal((StatusCode.DataLoss, "late"), (error.StatusCode, error.Status.Detail));
        Assert.Equal("asked", call.GetTrailers().GetValue("x-why"));
        Assert.Equal(StatusCode.DataLoss, call.GetStatus().StatusCode);
    }

    [Theory]
    [InlineData(false, "Exception was thrown by handler.")]
    [InlineData(true, "Exception was thrown by handler. InvalidTimeZoneException: secret of the handler")]
    public async Task An_unexpected_exception_is_Unknown(bool detailed, string detail)
    {
        await using EchoHost host = await EchoHost.StartAsync(grpc => grpc.EnableDetailedErrors = detailed);
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => host.Client.UnaryAsync(new Message { Ask = Ask.Throw }).ResponseAsync);
        Assert.Equal((StatusCode.Unknown, detail), (error.StatusCode, error.Status.Detail));
    }

    [Theory]
    [InlineData("mm.test.Echo", "Missing")]
    [InlineData("mm.test.Nothing", "Unary")]
    public async Task An_unknown_method_is_Unimplemented(string service, string name)
    {
        await using EchoHost host = await EchoHost.StartAsync();
        var marshaller = Marshallers.Create(value => value.ToByteArray(), Message.Parser.ParseFrom);
        var method = new Method<Message, Message>(MethodType.Unary, service, name, marshaller, marshaller);

        RpcException error = await Assert.ThrowsAsync<RpcException>(
            () => host.NewChannel().CreateCallInvoker().AsyncUnaryCall(method, null, default, new Message()).ResponseAsync);

        Assert.Equal(StatusCode.Unimplemented, error.StatusCode);
    }

    [Fact]
    public async Task A_deadline_ends_the_call_and_cancels_the_handler()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        DateTime deadline = TimeProvider.System.GetUtcNow().UtcDateTime.AddMilliseconds(300);

        RpcException error = await Assert.ThrowsAsync<RpcException>(
            () => host.Client.UnaryAsync(new Message { Ask = Ask.Wait }, deadline: deadline).ResponseAsync);

        Assert.Equal(StatusCode.DeadlineExceeded, error.StatusCode);
        Assert.True(TimeProvider.System.GetUtcNow().UtcDateTime >= deadline.AddMilliseconds(-20));
        await host.Events.Cancelled.Task;
        Assert.InRange(host.Events.Last!.Deadline, deadline.AddSeconds(-1), deadline.AddSeconds(1));
    }

    [Fact]
    public async Task A_deadline_in_the_past_ends_the_call_at_once()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        DateTime deadline = TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(-1);
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => host.Client.UnaryAsync(new Message(), deadline: deadline).ResponseAsync);
        Assert.Equal(StatusCode.DeadlineExceeded, error.StatusCode);
        Assert.Null(host.Events.Last);
    }

    [Fact]
    public async Task A_deadline_must_be_utc()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        var local = new DateTime(2100, 1, 1, 0, 0, 0, DateTimeKind.Local);
        Assert.Throws<InvalidOperationException>(() => { _ = host.Client.UnaryAsync(new Message(), deadline: local); });
    }

    [Fact]
    public async Task Cancelling_a_unary_call_cancels_its_handler()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        using var cancellation = new CancellationTokenSource();
        using AsyncUnaryCall<Message> call = host.Client.UnaryAsync(new Message { Ask = Ask.Wait }, cancellationToken: cancellation.Token);
        await host.Events.Waiting.Task;

        await cancellation.CancelAsync();
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);

        Assert.Equal(StatusCode.Cancelled, error.StatusCode);
        Assert.Equal(StatusCode.Cancelled, call.GetStatus().StatusCode);
        await host.Events.Cancelled.Task;
    }

    [Fact]
    public async Task Disposing_a_stream_cancels_its_handler()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        AsyncServerStreamingCall<Message> call = host.Client.ServerStream(new Message { Count = 1, Ask = Ask.Wait });
        Assert.True(await call.ResponseStream.MoveNext());
        await host.Events.Waiting.Task;

        call.Dispose();

        await host.Events.Cancelled.Task;
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());
        Assert.Equal(StatusCode.Cancelled, error.StatusCode);
    }

    [Fact]
    public async Task Cancelling_a_read_cancels_the_call()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        using AsyncServerStreamingCall<Message> call = host.Client.ServerStream(new Message { Ask = Ask.Wait });
        using var cancellation = new CancellationTokenSource();
        await host.Events.Waiting.Task;
        Task<bool> reading = call.ResponseStream.MoveNext(cancellation.Token);

        await cancellation.CancelAsync();

        Assert.Equal(StatusCode.Cancelled, (await Assert.ThrowsAsync<RpcException>(() => reading)).StatusCode);
        await host.Events.Cancelled.Task;
    }

    [Fact]
    public async Task Cancellation_may_be_asked_for_as_OperationCanceledException()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        using var cancellation = new CancellationTokenSource();
        Echo.EchoClient client = host.NewClient(options => options.ThrowOperationCanceledOnCancellation = true);
        using AsyncUnaryCall<Message> call = client.UnaryAsync(new Message { Ask = Ask.Wait }, cancellationToken: cancellation.Token);
        await host.Events.Waiting.Task;

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call.ResponseAsync);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_Unavailable()
    {
        using GrpcChannel channel = GrpcChannel.ForAddress("http://127.0.0.1:1");
        var client = new Echo.EchoClient(channel);
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => client.UnaryAsync(new Message()).ResponseAsync)).StatusCode);
        using AsyncDuplexStreamingCall<Message, Message> call = client.Duplex();
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext())).StatusCode);
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => call.ResponseHeadersAsync)).StatusCode);
    }

    [Fact]
    public async Task A_server_that_stops_ends_the_streams_it_has()
    {
        EchoHost host = await EchoHost.StartAsync();
        using AsyncServerStreamingCall<Message> call = host.NewClient().ServerStream(new Message { Count = 1, Ask = Ask.Wait });
        Assert.True(await call.ResponseStream.MoveNext());

        Task<RpcException> ended = Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());
        await host.DisposeAsync();

        Assert.Contains((await ended).StatusCode, new[] { StatusCode.Unavailable, StatusCode.Cancelled, StatusCode.Internal });
    }

    [Fact]
    public async Task A_disposed_channel_ends_its_calls_and_refuses_new_ones()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        GrpcChannel channel = host.NewChannel();
        using AsyncUnaryCall<Message> call = new Echo.EchoClient(channel).UnaryAsync(new Message { Ask = Ask.Wait });
        await host.Events.Waiting.Task;

        channel.Dispose();

        Assert.Equal(StatusCode.Cancelled, (await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync)).StatusCode);
        Assert.Throws<ObjectDisposedException>(() => channel.CreateCallInvoker());
    }

    [Fact]
    public async Task A_handler_may_set_a_status_and_return()
    {
        var method = new Method<Message, Message>(
            MethodType.Unary, "mm.test.Other", "Set",
            Marshallers.Create(value => value.ToByteArray(), Message.Parser.ParseFrom),
            Marshallers.Create(value => value.ToByteArray(), Message.Parser.ParseFrom));
        await using EchoHost host = await EchoHost.StartAsync(map: app => Microsoft.AspNetCore.Builder.GrpcEndpointRouteBuilderExtensions.MapGrpcService(
            app,
            ServerServiceDefinition.CreateBuilder().AddMethod(method, (Message request, ServerCallContext context) =>
            {
                context.Status = new Status(StatusCode.OutOfRange, "set");
                return Task.FromResult(request);
            }).Build()));

        RpcException error = await Assert.ThrowsAsync<RpcException>(
            () => host.NewChannel().CreateCallInvoker().AsyncUnaryCall(method, null, default, new Message()).ResponseAsync);

        Assert.Equal((StatusCode.OutOfRange, "set"), (error.StatusCode, error.Status.Detail));
    }
}
