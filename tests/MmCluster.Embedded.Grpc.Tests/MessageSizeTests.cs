using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using MmCluster.Embedded.Grpc.Tests.Hosting;
using MmCluster.Testing;

namespace MmCluster.Embedded.Grpc.Tests;

/// <summary>Limits, large messages and gzip.</summary>
public sealed class MessageSizeTests
{
    private const int Large = 64 * 1024 * 1024;

    [Fact]
    public async Task A_request_over_the_servers_limit_is_ResourceExhausted()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        var request = new Message { Data = ByteString.CopyFrom(new byte[(4 * 1024 * 1024) + 1]) };
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => host.Client.UnaryAsync(request).ResponseAsync);
        Assert.Equal(StatusCode.ResourceExhausted, error.StatusCode);
        Assert.Null(host.Events.Last);
    }

    [Fact]
    public async Task A_response_over_the_clients_limit_is_ResourceExhausted()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        var request = new Message { Ask = Ask.Size, Size = (4 * 1024 * 1024) + 1 };
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => host.Client.UnaryAsync(request).ResponseAsync);
        Assert.Equal(StatusCode.ResourceExhausted, error.StatusCode);
    }

    [Fact]
    public async Task A_message_over_the_senders_limit_does_not_leave()
    {
        await using EchoHost host = await EchoHost.StartAsync(grpc => grpc.MaxSendMessageSize = 1000);
        Echo.EchoClient client = host.NewClient(options => options.MaxSendMessageSize = 100);
        var large = new Message { Data = ByteString.CopyFrom(new byte[200]) };

        Assert.Equal(StatusCode.ResourceExhausted, (await Assert.ThrowsAsync<RpcException>(() => client.UnaryAsync(large).ResponseAsync)).StatusCode);
        Assert.Null(host.Events.Last);
        var ask = new Message { Ask = Ask.Size, Size = 2000 };
        Assert.Equal(StatusCode.ResourceExhausted, (await Assert.ThrowsAsync<RpcException>(() => client.UnaryAsync(ask).ResponseAsync)).StatusCode);
    }

    [Fact]
    public async Task Large_messages_pass_both_ways_when_the_limits_allow()
    {
        await using EchoHost host = await EchoHost.StartAsync(grpc => grpc.MaxReceiveMessageSize = Large + 1024);
        Echo.EchoClient client = host.NewClient(options => options.MaxReceiveMessageSize = null);
        byte[] data = new byte[Large];
        RandomNumberGenerator.Fill(data);

        Message answer = await client.UnaryAsync(new Message { Data = UnsafeByteOperations.UnsafeWrap(data) });

        Assert.True(answer.Data.Span.SequenceEqual(data));
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task Gzip_works_in_each_direction(bool request, bool response)
    {
        await using EchoHost host = await EchoHost.StartAsync(grpc => grpc.ResponseCompressionAlgorithm = response ? "gzip" : null);
        var headers = new Metadata();
        if (request)
        {
            headers.Add("grpc-internal-encoding-request", "gzip");
        }
        var message = new Message { Text = new string('a', 100_000) };

        Assert.Equal(message, await host.Client.UnaryAsync(message, headers));
        using AsyncDuplexStreamingCall<Message, Message> call = host.Client.Duplex(headers);
        for (int i = 0; i < 3; i++)
        {
            call.RequestStream.WriteOptions = i == 1 ? new WriteOptions(WriteFlags.NoCompress) : null;
            await call.RequestStream.WriteAsync(message);
            Assert.True(await call.ResponseStream.MoveNext());
            Assert.Equal(message, call.ResponseStream.Current);
        }
        await call.RequestStream.WriteAsync(new Message());
        Assert.True(await call.ResponseStream.MoveNext());
        Assert.Equal(new Message(), call.ResponseStream.Current);
    }

    [Fact]
    public async Task A_small_message_that_inflates_beyond_the_limit_is_refused()
    {
        await using EchoHost host = await EchoHost.StartAsync(grpc => grpc.MaxReceiveMessageSize = 100_000);
        var bomb = new Message { Data = ByteString.CopyFrom(new byte[3_000_000]) };
        RpcException error = await Assert.ThrowsAsync<RpcException>(
            () => host.Client.UnaryAsync(bomb, new Metadata { { "grpc-internal-encoding-request", "gzip" } }).ResponseAsync);
        Assert.Equal(StatusCode.ResourceExhausted, error.StatusCode);
    }

    [Fact]
    public async Task An_encoding_that_is_not_known_is_Unimplemented()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        RpcException error = await Assert.ThrowsAsync<RpcException>(
            () => host.Client.UnaryAsync(new Message(), new Metadata { { "grpc-encoding", "snappy" } }).ResponseAsync);
        Assert.Equal(StatusCode.Unimplemented, error.StatusCode);
        Assert.Contains("snappy", error.Status.Detail, StringComparison.Ordinal);
    }
}
