using System.Net;
using System.Net.Http.Headers;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using MmCluster.Embedded.Grpc.Tests.Hosting;
using MmCluster.Testing;

namespace MmCluster.Embedded.Grpc.Tests;

public sealed class TransportTests
{
    [Fact]
    public async Task Tls_carries_unary_and_streams()
    {
        await using EchoHost host = await EchoHost.StartAsync(tls: true);
        Assert.Equal("https", host.Address.Scheme);
        Assert.Equal("tls", (await host.Client.UnaryAsync(new Message { Text = "tls" })).Text);
        using AsyncServerStreamingCall<Message> call = host.Client.ServerStream(new Message { Count = 10 });
        int got = 0;
        while (await call.ResponseStream.MoveNext())
        {
            got++;
        }
        Assert.Equal(10, got);
    }

    [Fact]
    public async Task A_certificate_that_is_not_trusted_is_Unavailable_or_Internal()
    {
        await using EchoHost host = await EchoHost.StartAsync(tls: true);
        using GrpcChannel channel = GrpcChannel.ForAddress(host.Address);
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => new Echo.EchoClient(channel).UnaryAsync(new Message()).ResponseAsync);
        Assert.Contains(error.StatusCode, new[] { StatusCode.Unavailable, StatusCode.Internal });
    }

    [Fact]
    public async Task A_channel_may_use_a_callers_HttpClient()
    {
        await using EchoHost host = await EchoHost.StartAsync();
        using var http = new HttpClient();
        using GrpcChannel channel = GrpcChannel.ForAddress(host.Address, new GrpcChannelOptions { HttpClient = http });
        Assert.Equal("own", (await new Echo.EchoClient(channel).UnaryAsync(new Message { Text = "own" })).Text);
        Assert.Throws<ArgumentException>(() => GrpcChannel.ForAddress(
            host.Address, new GrpcChannelOptions { HttpClient = http, HttpHandler = new SocketsHttpHandler() }));
    }

    [Theory]
    [InlineData("text/plain", HttpStatusCode.UnsupportedMediaType)]
    [InlineData("application/grpc-web", HttpStatusCode.UnsupportedMediaType)]
    public async Task A_request_that_is_not_grpc_is_refused(string contentType, HttpStatusCode expected)
    {
        await using EchoHost host = await EchoHost.StartAsync();
        using HttpResponseMessage response = await PostAsync(host, HttpVersion.Version20, contentType);
        Assert.Equal(expected, response.StatusCode);
    }

    [Fact]
    public async Task A_request_over_http_1_is_refused()
    {
        await using EchoHost host = await EchoHost.StartAsync(protocols: HttpProtocols.Http1);
        using HttpResponseMessage response = await PostAsync(host, HttpVersion.Version11, "application/grpc");
        Assert.Equal(HttpStatusCode.UpgradeRequired, response.StatusCode);
    }

    [Theory]
    [InlineData(401, StatusCode.Unauthenticated)]
    [InlineData(403, StatusCode.PermissionDenied)]
    [InlineData(404, StatusCode.Unimplemented)]
    [InlineData(503, StatusCode.Unavailable)]
    [InlineData(418, StatusCode.Unknown)]
    public async Task An_answer_that_is_not_grpc_has_a_status(int http, StatusCode expected)
    {
        await using EchoHost host = await EchoHost.StartAsync(map: app => app.Use((HttpContext context, RequestDelegate _) =>
        {
            context.Response.StatusCode = http;
            return Task.CompletedTask;
        }));
        RpcException error = await Assert.ThrowsAsync<RpcException>(() => host.Client.UnaryAsync(new Message()).ResponseAsync);
        Assert.Equal(expected, error.StatusCode);
    }

    private static async Task<HttpResponseMessage> PostAsync(EchoHost host, Version version, string contentType)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(host.Address, "/mm.test.Echo/Unary"))
        {
            Version = version,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent([0, 0, 0, 0, 0]) { Headers = { ContentType = new MediaTypeHeaderValue(contentType) } },
        };
        return await http.SendAsync(request);
    }
}
