using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using MmCluster.Embedded.Grpc.Tests.Hosting;
using MmCluster.Fuzz.Grpc;
using MmCluster.Testing;

namespace MmCluster.Embedded.Grpc.Tests;

/// <summary>Peers that break the protocol get a status, and nobody else notices.</summary>
public sealed class MalformedTests
{
    public static TheoryData<string, byte[], StatusCode> BadMessages => new()
    {
        { "nothing", [], StatusCode.Internal },
        { "half a header", [0, 0, 0], StatusCode.Internal },
        { "half a message", [0, 0, 0, 0, 10, 1, 2], StatusCode.Internal },
        { "a flag of 2", [2, 0, 0, 0, 0], StatusCode.Internal },
        { "compressed without an encoding", [1, 0, 0, 0, 1, 0], StatusCode.Internal },
        { "2 GiB announced", [0, 127, 255, 255, 255, 1], StatusCode.ResourceExhausted },
        { "one byte over the limit announced", [0, 0, 0x40, 0, 1, 1], StatusCode.ResourceExhausted },
        { "two messages", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0], StatusCode.Internal },
    };

    [Theory, MemberData(nameof(BadMessages))]
    public async Task A_server_answers_a_bad_message_with_a_status(string what, byte[] body, StatusCode expected)
    {
        await using EchoHost host = await EchoHost.StartAsync();
        StatusCode status = await PostAsync(host, body);
        // The published server counts a bad flag as its handler's exception.
        Assert.True(status == expected || (what == "a flag of 2" && status == StatusCode.Unknown), $"{what}: {status}");
        Assert.Null(host.Events.Last);
        await host.Client.UnaryAsync(new Message());
    }

    [Theory]
    [InlineData(new byte[] { 1, 0, 0, 0, 3, 9, 9, 9 })]
    [InlineData(new byte[] { 1, 0, 0, 0, 20, 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9 })]
    public async Task A_server_refuses_bad_gzip(byte[] body)
    {
        await using EchoHost host = await EchoHost.StartAsync();
        StatusCode status = await PostAsync(host, body, ("grpc-encoding", "gzip"));
        Assert.Contains(status, new[] { StatusCode.Internal, StatusCode.Unknown });
    }

    [Fact]
    public async Task A_server_keeps_the_deadline_that_a_client_ignores()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        byte[] payload = new Message { Ask = Ask.Wait }.ToByteArray();
        Assert.Equal(StatusCode.DeadlineExceeded, await PostAsync(host, RawHttp2.Message(0, (uint)payload.Length, payload), ("grpc-timeout", "100m")));
        await host.Events.Cancelled.Task;
    }

    [Theory]
    [InlineData("soon")]
    [InlineData("-5S")]
    [InlineData("123456789S")]
    public async Task A_timeout_that_cannot_be_read_is_ignored(string timeout)
    {
        await using EchoHost host = await EchoHost.StartAsync();
        Assert.Equal(StatusCode.OK, await PostAsync(host, [0, 0, 0, 0, 0], ("grpc-timeout", timeout)));
    }

    [Fact]
    public async Task A_caller_whose_connection_breaks_cancels_its_handler()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        byte[] payload = new Message { Ask = Ask.Wait }.ToByteArray();
        using (RawHttp2 http = await RawHttp2.ConnectAsync(host.Address.Port))
        {
            await http.RequestAsync(1, "/mm.test.Echo/Unary");
            await http.FrameAsync(RawHttp2.Data, RawHttp2.EndStream, 1, RawHttp2.Message(0, (uint)payload.Length, payload));
            await host.Events.Waiting.Task;
            http.Socket.LingerState = new LingerOption(true, 0);
        }
        await host.Events.Cancelled.Task;
    }

    [Fact]
    public async Task Broken_frames_and_huge_headers_hurt_their_own_connection_only()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        using AsyncDuplexStreamingCall<Message, Message> call = host.Client.Duplex();
        foreach (Func<RawHttp2, Task> attack in new Func<RawHttp2, Task>[]
        {
            http => http.SendAsync([.. Enumerable.Repeat((byte)'x', 1000)]),
            http => http.FrameAsync(RawHttp2.Data, 0, 1, new byte[10], length: (1 << 24) - 1),
            http => http.FrameAsync(RawHttp2.Headers, RawHttp2.EndHeaders, 0, [1, 2, 3]),
            http => http.RequestAsync(1, "/mm.test.Echo/Unary", end: false, ("x-large", new string('a', 15_000)), ("x-more", new string('b', 20_000))),
        })
        {
            using RawHttp2 http = await RawHttp2.ConnectAsync(host.Address.Port);
            try
            {
                await attack(http);
                while (await http.Socket.ReceiveAsync(new byte[4096]) > 0)
                {
                }
            }
            catch (SocketException)
            {
                // Reset: an answer, too.
            }
        }

        await call.RequestStream.WriteAsync(new Message { Text = "still here" });
        Assert.True(await call.ResponseStream.MoveNext());
        Assert.Equal("still here", call.ResponseStream.Current.Text);
    }

    [Theory]
    [InlineData("truncated", StatusCode.Internal)]
    [InlineData("flag", StatusCode.Internal)]
    [InlineData("large", StatusCode.ResourceExhausted)]
    [InlineData("no-status", StatusCode.Cancelled)]
    [InlineData("odd-status", StatusCode.Cancelled)]
    [InlineData("html", StatusCode.Cancelled)]
    public async Task A_client_gives_a_broken_answer_a_status(string answer, StatusCode expected)
    {
        await using EchoHost host = await EchoHost.StartAsync(map: app => app.Use((HttpContext http, RequestDelegate _) => AnswerAsync(http, answer)));
        RpcException unary = await Assert.ThrowsAsync<RpcException>(() => host.Client.UnaryAsync(new Message()).ResponseAsync);
        Assert.Equal(expected, unary.StatusCode);

        using AsyncServerStreamingCall<Message> call = host.Client.ServerStream(new Message());
        RpcException stream = await Assert.ThrowsAsync<RpcException>(() => ReadToEndAsync(call));
        Assert.Equal(expected, stream.StatusCode);
        Assert.Equal(expected, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task A_client_whose_stream_is_reset_has_an_error()
    {
        await using EchoHost host = await EchoHost.StartAsync(map: app => app.Use((HttpContext http, RequestDelegate _) => AnswerAsync(http, "abort")));
        using AsyncServerStreamingCall<Message> call = host.Client.ServerStream(new Message());
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => ReadToEndAsync(call));
        Assert.NotEqual(StatusCode.OK, error.StatusCode);
    }

    private static async Task ReadToEndAsync(AsyncServerStreamingCall<Message> call)
    {
        while (await call.ResponseStream.MoveNext())
        {
        }
    }

    private static async Task AnswerAsync(HttpContext http, string answer)
    {
        http.Response.ContentType = answer == "html" ? "text/html" : "application/grpc";
        byte[] body = answer switch
        {
            "truncated" => [0, 0, 0, 0, 9, 1],
            "flag" => [7, 0, 0, 0, 0],
            "large" => [0, 255, 0, 0, 0, 1],
            _ => [0, 0, 0, 0, 0],
        };
        await http.Response.Body.WriteAsync(body);
        await http.Response.Body.FlushAsync();
        if (answer == "abort")
        {
            http.Abort();
        }
        else if (answer is not ("no-status" or "html"))
        {
            http.Response.AppendTrailer("grpc-status", answer == "odd-status" ? "fine" : "0");
        }
    }

    /// <summary>Sends bytes as the body of a unary call and returns the status.</summary>
    private static async Task<StatusCode> PostAsync(EchoHost host, byte[] body, params (string Name, string Value)[] headers)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(host.Address, "/mm.test.Echo/Unary"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/grpc") } },
        };
        foreach ((string name, string value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        using HttpResponseMessage response = await http.SendAsync(request);
        await response.Content.ReadAsByteArrayAsync();
        string status = response.Headers.Concat(response.TrailingHeaders).Single(header => header.Key == "grpc-status").Value.Single();
        return (StatusCode)int.Parse(status);
    }
}
