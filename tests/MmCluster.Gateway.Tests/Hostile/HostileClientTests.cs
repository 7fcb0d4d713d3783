using System.Text;
using System.Text.Json;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.OpenAi;

namespace MmCluster.Gateway.Tests.Hostile;

public sealed class HostileClientTests
{
    private const string Post = "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

    private static async Task OthersAreServedAsync(TestGateway gateway)
    {
        (int status, JsonElement body) = await gateway.PostAsync("/v1/completions", """{"prompt":"a b"}""");
        Assert.Equal((200, "a b "), (status, body.GetProperty("choices")[0].GetProperty("text").GetString()));
    }

    [Fact]
    public async Task Clients_that_trickle_their_headers_are_cut_and_others_served()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(
            new EchoModel(), new GatewayOptions { RequestHeadersTimeout = TimeSpan.FromSeconds(1) });
        var loris = new List<RawClient>();
        for (int i = 0; i < 100; i++)
        {
            loris.Add(await RawClient.ConnectAsync(gateway));
            await loris[i].SendAsync(Post + "X-A: ");
        }
        await OthersAreServedAsync(gateway);
        foreach (RawClient client in loris)
        {
            // Ends when the gateway closes, which is what is tested.
            Assert.DoesNotContain("200 OK", await client.ReadToEndAsync(), StringComparison.Ordinal);
            client.Dispose();
        }
        await OthersAreServedAsync(gateway);
    }

    [Fact]
    public async Task A_client_that_trickles_its_body_is_cut_and_others_served()
    {
        var model = new EchoModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model, new GatewayOptions { BodyGracePeriod = TimeSpan.FromSeconds(1.5) });
        using RawClient slow = await RawClient.ConnectAsync(gateway);
        await slow.SendAsync(Post + "Content-Length: 1000000\r\n\r\n{\"prompt\":");
        await OthersAreServedAsync(gateway);
        Assert.StartsWith("HTTP/1.1 4", await slow.ReadToEndAsync(), StringComparison.Ordinal);
        Assert.Single(model.Seen);
    }

    [Fact]
    public async Task Ten_gigabytes_announced_are_refused_before_they_come()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        using RawClient client = await RawClient.ConnectAsync(gateway);
        await client.SendAsync(Post + "Content-Length: 10737418240\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 4", await client.ReadToEndAsync(), StringComparison.Ordinal);
        await OthersAreServedAsync(gateway);
    }

    [Fact]
    public async Task Ten_gigabytes_in_chunks_end_at_the_limit()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel(), new GatewayOptions { MaxRequestBytes = 1 << 20 });
        using RawClient client = await RawClient.ConnectAsync(gateway);
        await client.SendAsync(Post + "Transfer-Encoding: chunked\r\n\r\n");
        string chunk = $"10000\r\n{new string(' ', 0x10000)}\r\n";
        long sent = 0;
        while (sent < 10L << 30 && await client.SendAsync(chunk))
        {
            sent += 0x10000;
            if (sent == 8 * 0x10000)
            {
                await OthersAreServedAsync(gateway);
            }
        }
        // What is over the limit was at most on its way in sockets' buffers and Kestrel's drain.
        Assert.InRange(sent, 1 << 20, 256 << 20);
        await OthersAreServedAsync(gateway);
    }

    [Fact]
    public async Task Bodies_that_are_together_too_large_are_turned_down_and_what_they_held_comes_back()
    {
        // A body holds 16 KiB while it is small, and 32 and then 64 KiB while it grows past that.
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel(), new GatewayOptions { MaxBodyMemory = 64 << 10 });
        string large = $$"""{"prompt":"a b"{{new string(' ', 40 << 10)}}}""";
        for (int i = 0; i < 8; i++)
        {
            using HttpResponseMessage refused = await gateway.Http.PostAsync("/v1/completions", new StringContent(large), TestContext.Current.CancellationToken);
            Assert.Equal((503, 1), ((int)refused.StatusCode, refused.Headers.RetryAfter?.Delta?.TotalSeconds));
            await OthersAreServedAsync(gateway);
        }
    }

    [Theory]
    [InlineData("HELLO\r\n\r\n", "400")]
    [InlineData("\u0016\u0003\u0001\u0002\r\n\r\n", "400")]
    [InlineData("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", "400")]
    [InlineData("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n", "400")]
    public async Task What_is_not_HTTP_is_refused(string sent, string status)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        using RawClient client = await RawClient.ConnectAsync(gateway);
        await client.SendAsync(sent);
        Assert.StartsWith($"HTTP/1.1 {status}", await client.ReadToEndAsync(), StringComparison.Ordinal);
        await OthersAreServedAsync(gateway);
    }

    [Theory]
    [InlineData(1000, 10, "431")]
    [InlineData(4, 10_000, "431")]
    public async Task Too_many_or_too_long_headers_are_refused(int count, int length, string status)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        using RawClient client = await RawClient.ConnectAsync(gateway);
        await client.SendAsync(Post + string.Concat(Enumerable.Range(0, count).Select(i => $"X-{i}: {new string('a', length)}\r\n")) + "\r\n");
        string answer = await client.ReadToEndAsync();
        // A reset may overtake the answer where the rest of the headers was never read.
        Assert.True(answer.Length == 0 || answer.StartsWith($"HTTP/1.1 {status}", StringComparison.Ordinal), answer);
        await OthersAreServedAsync(gateway);
    }

    [Theory]
    [InlineData(1_000_000)]
    [InlineData(65)]
    public async Task JSON_of_great_depth_is_refused(int depth)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        await RefusedAsync(gateway, new string('[', depth), "not JSON");
        await RefusedAsync(gateway, $$"""{"prompt":"a","tools":{{new string('[', depth)}}{{new string(']', depth)}} }""", "not JSON");
        await OthersAreServedAsync(gateway);
    }

    [Fact]
    public async Task JSON_of_very_many_values_is_refused_before_it_is_kept()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        string many = new StringBuilder().Insert(0, "0,", JsonBody.MaxValues + 1).Append('0').ToString();
        await RefusedAsync(gateway, $$"""{"prompt":[{{many}}]}""", "JSON values");
        await OthersAreServedAsync(gateway);
    }

    [Theory]
    [InlineData("", "not JSON")]
    [InlineData("[]", "must be a JSON object")]
    [InlineData("{\"prompt\":\"a\"} x", "not JSON")]
    [InlineData("{\"prompt\":\"\\ud800\"}", "at byte 10 ")]
    [InlineData("{\"\\uD83d\":1,\"prompt\":\"a\"}", "surrogate pair")]
    public async Task A_body_that_is_no_object_is_refused(string body, string reason)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        await RefusedAsync(gateway, body, reason);
    }

    private static async Task RefusedAsync(TestGateway gateway, string json, string reason)
    {
        using HttpResponseMessage response =
            await gateway.Http.PostAsync("/v1/completions", new StringContent(json), TestContext.Current.CancellationToken);
        string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Equal(400, (int)response.StatusCode);
        Assert.Contains(reason, text, StringComparison.Ordinal);
    }
}
