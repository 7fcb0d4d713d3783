using System.Net;
using System.Text.Json;
using MmCluster.Engine;
using MmCluster.Engine.Encoders;
using MmCluster.Engine.Simulation;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Models;

namespace MmCluster.Gateway.Tests;

public sealed class HostingTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Readiness_waits_for_the_models_while_health_does_not()
    {
        var model = new EchoModel { Ready = false };
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        Assert.Equal(HttpStatusCode.OK, (await gateway.Http.GetAsync("/health", Stop)).StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await gateway.Http.GetAsync("/health/ready", Stop)).StatusCode);
        model.Ready = true;
        Assert.Equal(HttpStatusCode.OK, (await gateway.Http.GetAsync("/health/ready", Stop)).StatusCode);
    }

    [Fact]
    public async Task Without_a_configured_key_any_authorization_is_accepted()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        gateway.Http.DefaultRequestHeaders.Add("Authorization", "Bearer whatever");
        Assert.Equal(HttpStatusCode.OK, (await gateway.Http.GetAsync("/v1/models", Stop)).StatusCode);
    }

    [Fact]
    public async Task With_a_key_others_are_refused_but_health_is_open()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel(), new GatewayOptions { ApiKey = "secret" });
        Assert.Equal(HttpStatusCode.Unauthorized, (await gateway.Http.GetAsync("/v1/models", Stop)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await gateway.Http.GetAsync("/health", Stop)).StatusCode);
        gateway.Http.DefaultRequestHeaders.Add("Authorization", "Bearer secret");
        Assert.Equal(HttpStatusCode.OK, (await gateway.Http.GetAsync("/v1/models", Stop)).StatusCode);
    }

    [Fact]
    public async Task Models_are_listed_with_length_and_vocabulary()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel());
        using JsonDocument list = JsonDocument.Parse(await gateway.Http.GetStringAsync("/v1/models", Stop));
        JsonElement model = list.RootElement.GetProperty("data")[0];
        Assert.Equal(("echo", 4096, 1000), (model.GetProperty("id").GetString(), model.GetProperty("max_model_len").GetInt32(), model.GetProperty("vocab_size").GetInt32()));
    }

    [Fact]
    public async Task Metrics_count_what_was_answered()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel { Encoders = new EncoderStatistics(5, 2, 1024) });
        await gateway.PostAsync("/v1/completions", """{"prompt":"a b c"}""");
        string text = await gateway.Http.GetStringAsync("/metrics", Stop);
        Assert.Contains("mm:encoder_cache_queries_total{model=\"echo\"} 5\n", text, StringComparison.Ordinal);
        Assert.Contains("mm:encoder_cache_hits_total{model=\"echo\"} 2\n", text, StringComparison.Ordinal);
        Assert.Contains("mm:encoder_cache_idle_bytes{model=\"echo\"} 1024\n", text, StringComparison.Ordinal);
        Assert.Contains("mm:generation_tokens_total{model=\"echo\"} 3\n", text, StringComparison.Ordinal);
        Assert.Contains("mm:request_success_total{model=\"echo\",finished_reason=\"stop\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("mm:time_to_first_token_seconds_count{model=\"echo\"} 1\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Metrics_tell_what_the_scheduler_does_before_and_after_a_request()
    {
        var profile = new SimulationProfile { StepMilliseconds = 0, TokenMicroseconds = 0, ContextNanoseconds = 0 };
        await using var model = new SimulatedServedModel("a\"b", profile, new EngineOptions(), TimeProvider.System);
        await using TestGateway gateway = await TestGateway.StartAsync(model);
        string idle = await gateway.Http.GetStringAsync("/metrics", Stop);
        foreach (string name in (string[])["num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "prefix_cache_queries_total", "num_preemptions_total"])
        {
            Assert.Contains($"mm:{name}{{model=\"a\\\"b\"}} 0\n", idle, StringComparison.Ordinal);
        }
        string prompt = string.Join(',', Enumerable.Range(300, 40));
        await gateway.PostAsync("/v1/completions", $$"""{"prompt":[{{prompt}}],"max_tokens":2,"n":2}""");
        await gateway.PostAsync("/v1/completions", $$"""{"prompt":[{{prompt}}],"max_tokens":2}""");
        string text = await gateway.Http.GetStringAsync("/metrics", Stop);
        Assert.Contains("mm:prompt_tokens_total{model=\"a\\\"b\"} 80\n", text, StringComparison.Ordinal);
        Assert.Matches("mm:prefix_cache_queries_total{[^}]*} [1-9]", text);
        Assert.Matches("mm:prefix_cache_hits_total{[^}]*} [1-9]", text);
    }

    [Fact]
    public async Task An_oversized_body_is_refused_and_an_unknown_route_is_named()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel(), new GatewayOptions { MaxRequestBytes = 100 });
        (int status, _) = await gateway.PostAsync("/v1/completions", $$"""{"prompt":"{{new string('a', 200)}}"}""");
        Assert.Equal(400, status);
        using HttpResponseMessage missing = await gateway.Http.GetAsync("/v1/nothing", Stop);
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
        Assert.Contains("/v1/nothing", await missing.Content.ReadAsStringAsync(Stop), StringComparison.Ordinal);
    }
}
