using System.Net;
using System.Text.Json;
using MmCluster.Gateway.Hosting;

namespace MmCluster.Gateway.Tests.Media;

public sealed class MediaByUrlTests
{
    private const string Public = "93.184.215.14";
    private const string Public2 = "2606:4700:4700::1111";

    private static GatewayOptions Allowing(FakeNetwork network, params string[] domains) => new()
    {
        AllowedMediaDomains = domains,
        MediaNetwork = network,
        MaxRequestBytes = 1 << 20,
    };

    private static Task<(int Status, JsonElement Body)> AskAsync(TestGateway gateway, string url) => gateway.PostAsync(
        "/v1/chat/completions",
        $$"""{"messages":[{"role":"user","content":[{"type":"text","text":"what?"},{"type":"image_url","image_url":{"url":"{{url}}"} }]}]}""");

    private static string Text(JsonElement body) => body.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;

    private static async Task<string> RefusalAsync(FakeNetwork network, string url, ManualTime? time = null, params string[] domains)
    {
        var model = new EchoModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model, Allowing(network, domains is [] ? ["*"] : domains), time);
        Task<(int, JsonElement)> asking = AskAsync(gateway, url);
        if (time is not null)
        {
            await network.Asked.Task.WaitAsync(TestContext.Current.CancellationToken);
            time.Advance(TimeSpan.FromSeconds(10));
        }
        (int status, JsonElement body) = await asking;
        JsonElement error = body.GetProperty("error");
        Assert.Equal((400, "messages[0].content[1]"), (status, error.GetProperty("param").GetString()));
        Assert.Empty(model.Seen);
        Assert.Contains("reason=\"media\"} 1\n", await gateway.Http.GetStringAsync("/metrics", TestContext.Current.CancellationToken), StringComparison.Ordinal);
        return error.GetProperty("message").GetString()!;
    }

    [Fact]
    public async Task A_picture_of_an_allowed_domain_reaches_the_model_in_its_place()
    {
        await using FakeNetwork network = new FakeNetwork().Name("pictures.example", Public).Picture("/a.png?x=1");
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel(), Allowing(network, "pictures.example"));
        (int status, JsonElement body) = await AskAsync(gateway, "http://Pictures.Example/a.png?x=1");
        Assert.Equal((200, "what?[Image:PNG]"), (status, Text(body)));
        Assert.Equal([new IPEndPoint(IPAddress.Parse(Public), 80)], network.Connected);
        string head = Assert.Single(network.Heads);
        Assert.DoesNotContain("Cookie", head, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("Authorization", head, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Several_pictures_keep_their_order_and_share_the_limit()
    {
        await using FakeNetwork network = new FakeNetwork().Name("p.example", Public)
            .Answer("/1", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1").Answer("/2", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
        const string Request = """
            {"messages":[{"role":"user","content":[{"type":"image_url","image_url":"http://p.example/1"},{"type":"image_url","image_url":"http://p.example/2"}]}]}
            """;
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel(), Allowing(network, "p.example"));
        (_, JsonElement body) = await gateway.PostAsync("/v1/chat/completions", Request);
        Assert.Equal("[Image:1][Image:2]", Text(body));
    }

    [Theory]
    [InlineData("http://127.0.0.1/")]
    [InlineData("http://localhost/")]
    [InlineData("http://2130706433/")]
    [InlineData("http://0x7f000001/")]
    [InlineData("http://0x7f.0.0.1/")]
    [InlineData("http://0177.0.0.1/")]
    [InlineData("http://127.1/")]
    [InlineData("http://0/")]
    [InlineData("http://127.0.0.1./")]
    [InlineData("http://①②⑦.⓪.⓪.①/")]
    [InlineData("http://169.254.169.254/latest/meta-data/")]
    [InlineData("http://[::1]/")]
    [InlineData("http://[::]/")]
    [InlineData("http://[::ffff:127.0.0.1]/")]
    [InlineData("http://[::ffff:7f00:1]/")]
    [InlineData("http://[64:ff9b::7f00:1]/")]
    [InlineData("http://[2002:7f00:1::]/")]
    [InlineData("http://[fe80::1%25eth0]/")]
    [InlineData("http://[fd00:ec2::254]/")]
    [InlineData("http://inside.example/")]
    [InlineData("http://mixed.example/")]
    [InlineData("http://unknown.example/")]
    public async Task An_address_that_is_not_public_is_never_connected_to(string url)
    {
        await using FakeNetwork network = new FakeNetwork()
            .Name("localhost", "127.0.0.1").Name("inside.example", "127.0.0.1").Name("mixed.example", $"{Public},10.0.0.1");
        string refusal = await RefusalAsync(network, url);
        Assert.Empty(network.Connected);
        Assert.Equal("'messages[0].content[1]': its host has no public address", refusal);
    }

    [Theory]
    [InlineData("file:///etc/passwd", "only http: and https:")]
    [InlineData("gopher://p.example/", "only http: and https:")]
    [InlineData("ftp://p.example/", "only http: and https:")]
    [InlineData("//p.example/", "")]
    [InlineData("p.example/a", "cannot be read")]
    [InlineData("http:///a", "cannot be read")]
    [InlineData("http://user:secret@p.example/", "user name or password")]
    [InlineData("http://p.example@127.0.0.1/", "user name or password")]
    [InlineData("http://p.example:22/", "port")]
    [InlineData("http://p.example:443/", "port")]
    [InlineData("http://other.example/", "domain")]
    [InlineData("http://p.example.evil.example/", "domain")]
    [InlineData("http://evilp.example/", "domain")]
    [InlineData("http://sub.p.example/", "domain")]
    [InlineData("http://evilq.example/", "domain")]
    [InlineData("http://q.example/", "domain")]
    [InlineData("http://127.0.0.1/", "domain")]
    public async Task What_the_rules_do_not_allow_is_not_even_looked_up(string url, string reason)
    {
        await using FakeNetwork network = new FakeNetwork().Name("p.example", Public);
        string refusal = await RefusalAsync(network, url, null, "p.example", "*.q.example");
        Assert.Contains(reason, refusal, StringComparison.Ordinal);
        Assert.Empty(network.LookedUp);
    }

    [Theory]
    [InlineData("http://169.254.169.254/latest/meta-data/", "no public address")]
    [InlineData("//127.0.0.1/", "no public address")]
    [InlineData("http://inside.example/", "no public address")]
    [InlineData("file:///etc/passwd", "only http: and https:")]
    [InlineData("gopher://p.example/", "only http: and https:")]
    [InlineData("http://p.example:6379/", "port")]
    [InlineData("/again", "redirects over 3 times")]
    public async Task A_redirect_is_checked_as_the_first_address_was(string location, string reason)
    {
        await using FakeNetwork network = new FakeNetwork().Name("p.example", Public).Name("inside.example", "10.1.2.3")
            .Redirect("/start", location).Redirect("/again", "/again");
        Assert.Contains(reason, await RefusalAsync(network, "http://p.example/start"), StringComparison.Ordinal);
        Assert.All(network.Connected, address => Assert.Equal(Public, address.Address.ToString()));
    }

    [Fact]
    public async Task A_redirect_to_another_allowed_host_is_followed()
    {
        await using FakeNetwork network = new FakeNetwork().Name("p.example", Public).Name("img.q.example", Public2)
            .Redirect("/start", "http://img.q.example/b").Picture("/b");
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel(), Allowing(network, "p.example", "*.q.example"));
        Assert.Equal("what?[Image:PNG]", Text((await AskAsync(gateway, "http://p.example/start")).Body));
        Assert.Equal([Public, Public2], network.Connected.Select(address => address.Address.ToString()));
    }

    [Fact]
    public async Task A_name_that_answers_differently_the_second_time_gains_nothing()
    {
        // Public for whoever checks, inside for whoever connects: there is one look-up, and its answer is what is connected to.
        await using FakeNetwork network = new FakeNetwork().Name("rebind.example", Public, "127.0.0.1").Picture("/");
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel(), Allowing(network, "*"));
        Assert.Equal(200, (await AskAsync(gateway, "http://rebind.example/")).Status);
        Assert.Equal(Public, Assert.Single(network.Connected).Address.ToString());
        Assert.Single(network.LookedUp);
    }

    [Fact]
    public async Task Rebinding_between_a_redirects_hops_is_refused()
    {
        await using FakeNetwork network = new FakeNetwork().Name("rebind.example", Public, "127.0.0.1").Redirect("/", "/b").Picture("/b");
        Assert.Contains("no public address", await RefusalAsync(network, "http://rebind.example/"), StringComparison.Ordinal);
        Assert.Single(network.Connected);
    }

    [Fact]
    public async Task A_slow_server_is_given_up()
    {
        await using FakeNetwork network = new FakeNetwork().Name("p.example", Public);
        network.Answers["/"] = async (stream, stop) =>
        {
            await stream.WriteAsync("HTTP/1.1 200 OK\r\n\r\nx"u8.ToArray(), stop);
            await Task.Delay(Timeout.Infinite, stop);
        };
        Assert.Contains("over 10 s", await RefusalAsync(network, "http://p.example/", new ManualTime()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_endless_body_ends_at_the_limit()
    {
        await using FakeNetwork network = new FakeNetwork().Name("p.example", Public);
        long sent = 0;
        network.Answers["/"] = async (stream, stop) =>
        {
            await stream.WriteAsync("HTTP/1.1 200 OK\r\n\r\n"u8.ToArray(), stop);
            byte[] chunk = new byte[64 << 10];
            while (true)
            {
                await stream.WriteAsync(chunk, stop);
                Interlocked.Add(ref sent, chunk.Length);
            }
        };
        Assert.Contains("over 1048576 bytes", await RefusalAsync(network, "http://p.example/"), StringComparison.Ordinal);
        Assert.InRange(Interlocked.Read(ref sent), 1, 64 << 20);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n", "over 1048576 bytes")]
    [InlineData("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "status 404")]
    [InlineData("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "status 302")]
    [InlineData("SSH-2.0-OpenSSH_9.6\r\n", "can be read")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "can be read")]
    [InlineData("", "can be read")]
    public async Task An_answer_that_is_no_picture_is_refused_with_a_reason(string answer, string reason)
    {
        await using FakeNetwork network = new FakeNetwork().Name("p.example", Public).Answer("/", answer);
        string refusal = await RefusalAsync(network, "http://p.example/");
        Assert.Contains(reason, refusal, StringComparison.Ordinal);
        Assert.DoesNotContain(Public, refusal, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Endless_headers_end_at_the_limit()
    {
        await using FakeNetwork network = new FakeNetwork().Name("p.example", Public)
            .Answer("/", $"HTTP/1.1 200 OK\r\n{string.Concat(Enumerable.Repeat($"X: {new string('a', 1000)}\r\n", 64))}\r\n");
        Assert.Contains("can be read", await RefusalAsync(network, "http://p.example/"), StringComparison.Ordinal);
    }
}
