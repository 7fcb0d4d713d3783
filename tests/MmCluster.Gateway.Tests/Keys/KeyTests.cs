using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using MmCluster.Cluster.Deployment;
using MmCluster.Gateway.Hosting;
using MmCluster.Models;

namespace MmCluster.Gateway.Tests.Keys;

public sealed class KeyTests
{
    private readonly ManualTime _time = new();

    private static KeyGrant Key(string key, string tenant) => new() { Hash = KeyGrant.HashOf(key), Tenant = tenant };

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private Task<TestGateway> StartAsync(EchoModel model, params KeyGrant[] keys) =>
        TestGateway.StartAsync(model, new GatewayOptions { Keys = keys }, _time);

    private static async Task<HttpResponseMessage> AskAsync(TestGateway gateway, string key, string fields = "")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = new StringContent($$"""{"prompt":"a b c"{{fields}}}"""),
        };
        request.Headers.Add("Authorization", $"Bearer {key}");
        return await gateway.Http.SendAsync(request, Stop);
    }

    private static async Task<(HttpStatusCode, double?)> RefusalAsync(TestGateway gateway, string key)
    {
        using HttpResponseMessage response = await AskAsync(gateway, key);
        return (response.StatusCode, response.Headers.RetryAfter?.Delta?.TotalSeconds);
    }

    [Fact]
    public async Task Each_keys_tenant_reaches_the_model_and_a_wrong_key_does_not()
    {
        var model = new EchoModel();
        await using TestGateway gateway = await StartAsync(model, Key("ka", "alpha"), Key("kb", "beta"));
        using HttpResponseMessage first = await AskAsync(gateway, "ka");
        using HttpResponseMessage second = await AskAsync(gateway, "kb");
        using HttpResponseMessage wrong = await AskAsync(gateway, "kc");
        using HttpResponseMessage hash = await AskAsync(gateway, KeyGrant.HashOf("ka"));
        Assert.Equal(["alpha", "beta"], model.Seen.Select(request => request.Tenant));
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized), (wrong.StatusCode, hash.StatusCode));
    }

    [Fact]
    public async Task Requests_a_second_are_a_bucket_and_429_says_when_to_retry()
    {
        await using TestGateway gateway = await StartAsync(new EchoModel(), Key("k", "t") with { RequestsPerSecond = 0.5 }, Key("other", "u"));
        Assert.Equal((HttpStatusCode.OK, null), await RefusalAsync(gateway, "k"));
        Assert.Equal((HttpStatusCode.TooManyRequests, 2.0), await RefusalAsync(gateway, "k"));
        Assert.Equal((HttpStatusCode.OK, null), await RefusalAsync(gateway, "other"));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal((HttpStatusCode.OK, null), await RefusalAsync(gateway, "k"));
    }

    [Fact]
    public async Task Tokens_a_minute_count_prompt_and_output()
    {
        // A request uses 3 + 3 tokens; the bucket of 6 is then empty and gains one each 10 s.
        await using TestGateway gateway = await StartAsync(new EchoModel(), Key("k", "t") with { TokensPerMinute = 6 });
        Assert.Equal((HttpStatusCode.OK, null), await RefusalAsync(gateway, "k"));
        Assert.Equal((HttpStatusCode.TooManyRequests, 10.0), await RefusalAsync(gateway, "k"));
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal((HttpStatusCode.OK, null), await RefusalAsync(gateway, "k"));
        Assert.Equal((HttpStatusCode.TooManyRequests, 60.0), await RefusalAsync(gateway, "k"));
    }

    [Fact]
    public async Task Concurrency_is_given_back_when_a_request_ends()
    {
        var model = new HeldModel();
        await using TestGateway gateway = await TestGateway.StartAsync(
            model, new GatewayOptions { Keys = [Key("k", "t") with { Concurrency = 1 }] });
        Task<HttpResponseMessage> first = AskAsync(gateway, "k");
        await model.BegunAsync();
        Assert.Equal(HttpStatusCode.TooManyRequests, (await AskAsync(gateway, "k")).StatusCode);
        model.Release();
        Assert.Equal(HttpStatusCode.OK, (await first).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(gateway, "k")).StatusCode);
    }

    [Fact]
    public async Task A_model_that_a_key_may_not_use_is_as_if_it_were_not_there()
    {
        await using TestGateway gateway = await StartAsync(new EchoModel(), Key("k", "t") with { Models = ["another"] });
        Assert.Equal(HttpStatusCode.NotFound, (await AskAsync(gateway, "k", ",\"model\":\"echo\"")).StatusCode);
        gateway.Http.DefaultRequestHeaders.Add("Authorization", "Bearer k");
        JsonElement list = await gateway.Http.GetFromJsonAsync<JsonElement>("/v1/models", Stop);
        Assert.Equal(0, list.GetProperty("data").GetArrayLength());
        Assert.Equal(HttpStatusCode.NotFound, (await gateway.Http.GetAsync("/v1/models/echo", Stop)).StatusCode);
    }

    [Theory]
    [InlineData(-5, 10)]
    [InlineData(0, 10)]
    [InlineData(50, 50)]
    public async Task A_priority_above_the_ceiling_is_served_at_it(int asked, int served)
    {
        var model = new EchoModel();
        await using TestGateway gateway = await StartAsync(model, Key("k", "t") with { PriorityCeiling = 10 });
        using HttpResponseMessage response = await AskAsync(gateway, "k", $",\"priority\":{asked}");
        Assert.Equal(served, Assert.Single(model.Seen).Priority);
    }

    [Fact]
    public async Task Metrics_count_by_tenant_and_by_reason_never_by_what_a_client_sent()
    {
        await using TestGateway gateway = await StartAsync(new EchoModel(), Key("k", "acme") with { RequestsPerSecond = 1 });
        foreach (string key in (string[])["k", "k", "made-up-1"])
        {
            using HttpResponseMessage response = await AskAsync(gateway, key);
        }
        string text = await gateway.Http.GetStringAsync("/metrics", Stop);
        Assert.Contains("mm:tenant_requests_total{tenant=\"acme\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("mm:tenant_tokens_total{tenant=\"acme\"} 6\n", text, StringComparison.Ordinal);
        Assert.Contains("mm:tenant_rejections_total{tenant=\"acme\",reason=\"request_rate\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("mm:tenant_rejections_total{tenant=\"default\",reason=\"key\"} 1\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("made-up", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_faulty_record_stops_the_start_and_is_named()
    {
        KeyGrant[] faulty =
        [
            new() { Hash = "secret-in-clear", Tenant = "t" },
            Key("k", "no spaces"),
            Key("k", "t") with { Concurrency = 0 },
            Key("k", "t") with { RequestsPerSecond = double.NaN },
        ];
        foreach (KeyGrant record in faulty)
        {
            MmException error = await Assert.ThrowsAsync<MmException>(() => StartAsync(new EchoModel(), record));
            Assert.Contains($"tenant '{record.Tenant}'", error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain(record.Hash, error.Message, StringComparison.Ordinal);
        }
        await Assert.ThrowsAsync<MmException>(() => StartAsync(new EchoModel(), Key("k", "t"), Key("k", "u")));
    }
}
