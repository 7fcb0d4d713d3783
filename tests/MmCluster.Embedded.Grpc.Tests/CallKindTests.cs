using Google.Protobuf;
using Grpc.Core;
using MmCluster.Embedded.Grpc.Tests.Hosting;
using MmCluster.Testing;

namespace MmCluster.Embedded.Grpc.Tests;

public sealed class CallKindTests
{
    [Fact]
    public async Task Unary_answers_with_the_request()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        using AsyncUnaryCall<Message> call = host.Client.UnaryAsync(new Message { Text = "häl\nlo", Data = ByteString.CopyFrom(0, 1, 255) });

        Message answer = await call;

        Assert.Equal("häl\nlo", answer.Text);
        Assert.Equal([0, 1, 255], answer.Data.ToByteArray());
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
        Assert.Empty(call.GetTrailers());
    }

    [Fact]
    public async Task Unary_with_an_empty_message_is_a_message()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        Assert.Equal(new Message(), await host.Client.UnaryAsync(new Message()));
    }

    [Fact]
    public async Task A_blocking_call_returns_the_answer()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        Message answer = await Task.Run(() => host.Client.Unary(new Message { Text = "wait" }));
        Assert.Equal("wait", answer.Text);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1000)]
    public async Task Server_streaming_delivers_every_message_in_order(int count)
    {
        await using EchoHost host = await EchoHost.StartAsync();
        using AsyncServerStreamingCall<Message> call = host.Client.ServerStream(new Message { Count = count, Text = "x" });

        var got = new List<int>();
        while (await call.ResponseStream.MoveNext())
        {
            got.Add(call.ResponseStream.Current.Count);
        }

        Assert.Equal(Enumerable.Range(0, count), got);
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
        Assert.False(await call.ResponseStream.MoveNext());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1000)]
    public async Task Client_streaming_delivers_every_message(int count)
    {
        await using EchoHost host = await EchoHost.StartAsync();
        using AsyncClientStreamingCall<Message, Message> call = host.Client.ClientStream();

        for (int i = 0; i < count; i++)
        {
            await call.RequestStream.WriteAsync(new Message { Data = ByteString.CopyFrom(new byte[100]) });
        }
        await call.RequestStream.CompleteAsync();
        Message answer = await call;

        Assert.Equal((count, count * 100), (answer.Count, answer.Size));
    }

    [Fact]
    public async Task Duplex_answers_each_request_before_the_next()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        using AsyncDuplexStreamingCall<Message, Message> call = host.Client.Duplex();

        for (int i = 0; i < 50; i++)
        {
            await call.RequestStream.WriteAsync(new Message { Count = i });
            Assert.True(await call.ResponseStream.MoveNext());
            Assert.Equal(i, call.ResponseStream.Current.Count);
        }
        await call.RequestStream.CompleteAsync();

        Assert.False(await call.ResponseStream.MoveNext());
    }

    [Fact]
    public async Task Duplex_carries_both_directions_at_once()
    {
        const int Count = 5000;
        await using EchoHost host = await EchoHost.StartAsync();
        using AsyncDuplexStreamingCall<Message, Message> call = host.Client.Duplex();

        Task writing = WriteAsync();
        int got = 0;
        while (await call.ResponseStream.MoveNext())
        {
            Assert.Equal(got++, call.ResponseStream.Current.Count);
        }
        await writing;

        Assert.Equal(Count, got);

        async Task WriteAsync()
        {
            for (int i = 0; i < Count; i++)
            {
                await call.RequestStream.WriteAsync(new Message { Count = i, Text = "some text to fill the frame" });
            }
            await call.RequestStream.CompleteAsync();
        }
    }

    [Fact]
    public async Task A_server_that_returns_early_ends_the_call_while_the_client_still_writes()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        using AsyncClientStreamingCall<Message, Message> call = host.Client.ClientStream();

        await call.RequestStream.WriteAsync(new Message { Ask = Ask.Return });
        Message answer = await call;

        Assert.Equal(1, answer.Count);
        await Assert.ThrowsAnyAsync<Exception>(() => call.RequestStream.WriteAsync(new Message()));
    }

    [Fact]
    public async Task A_call_that_runs_has_no_status_yet()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        using AsyncDuplexStreamingCall<Message, Message> call = host.Client.Duplex();
        Assert.Throws<InvalidOperationException>(() => call.GetStatus());
        Assert.Throws<InvalidOperationException>(() => call.GetTrailers());
    }

    [Fact]
    public async Task Many_calls_share_a_channel()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        Message[] answers = await Task.WhenAll(
            Enumerable.Range(0, 500).Select(i => host.Client.UnaryAsync(new Message { Count = i }).ResponseAsync));
        Assert.Equal(Enumerable.Range(0, 500), answers.Select(answer => answer.Count));
    }
}
