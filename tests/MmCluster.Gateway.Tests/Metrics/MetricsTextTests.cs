using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Status;
using MmCluster.Engine;
using MmCluster.Engine.Simulation;
using MmCluster.Gateway.Clustering;
using MmCluster.Gateway.Hosting;
using MmCluster.Gateway.Models;
using MmCluster.Gateway.Tests.Clustering;

namespace MmCluster.Gateway.Tests.Metrics;

/// <summary>What /metrics says, read as Prometheus reads it.</summary>
public sealed class MetricsTextTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_that_can_be_in_it_is_valid_Prometheus_text()
    {
        using var control = new ClusterControl(new FakeCluster());
        var profile = new SimulationProfile { StepMilliseconds = 0, TokenMicroseconds = 0, ContextNanoseconds = 0 };
        // Names are the operator's: quotes, backslashes and line ends must not break a line.
        await using var model = new SimulatedServedModel("a\"b\\c\nd", profile, new EngineOptions(), TimeProvider.System);
        var options = new GatewayOptions { Control = control, Keys = [new KeyGrant { Tenant = "acme", Hash = KeyGrant.HashOf("k") }], ApiKey = "root" };
        await using TestGateway gateway = await TestGateway.StartAsync(model, options);
        gateway.Http.DefaultRequestHeaders.Add("Authorization", "Bearer k");
        await gateway.PostAsync("/v1/completions", """{"prompt":"a","max_tokens":2,"ignore_eos":true}""");
        await gateway.PostAsync("/v1/completions", """{"prompt":"a","temperature":9}""");
        gateway.Http.DefaultRequestHeaders.Remove("Authorization");
        gateway.Http.DefaultRequestHeaders.Add("Authorization", "Bearer nobody's");
        await gateway.PostAsync("/v1/completions", """{"prompt":"a"}""");
        gateway.Http.DefaultRequestHeaders.Remove("Authorization");
        gateway.Http.DefaultRequestHeaders.Add("Authorization", "Bearer root");
        using HttpResponseMessage answer = await gateway.Http.GetAsync("/metrics", Stop);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answer.Content.Headers.ContentType?.ToString());
        var metrics = Exposition.Parse(await answer.Content.ReadAsStringAsync(Stop));
        Assert.Equal(2, metrics["mm:generation_tokens_total{model=\"a\\\"b\\\\c\\nd\"}"]);
        Assert.Equal(1, metrics["mm:tenant_requests_total{tenant=\"acme\"}"]);
        foreach (string histogram in (string[])["mm:time_to_first_token_seconds", "mm:inter_token_latency_seconds", "mm:e2e_request_latency_seconds", "mm:stage_queue_time_seconds", "mm:stage_busy_time_seconds"])
        {
            Assert.Equal("histogram", metrics.Types[histogram]);
            Assert.Contains(metrics.Series, series => series.StartsWith(histogram + "_count", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Requests_are_told_while_they_wait_in_the_gateway_by_model_and_by_tenant()
    {
        var model = new HeldModel();
        await using TestGateway gateway = await TestGateway.StartAsync(model, new GatewayOptions { MaxRunning = 1 });
        Task<(int Status, System.Text.Json.JsonElement Body)> running = gateway.PostAsync("/v1/completions", """{"prompt":"a"}""");
        await model.BegunAsync();
        Task<(int Status, System.Text.Json.JsonElement Body)>[] waiting = [.. Enumerable.Range(0, 2).Select(_ => gateway.PostAsync("/v1/completions", """{"prompt":"a"}"""))];
        Exposition metrics = await ReadUntilAsync(gateway, metrics => metrics["mm:num_requests_waiting{model=\"held\"}"] == 2);
        Assert.Equal(1, metrics["mm:num_requests_running{model=\"held\"}"]);
        Assert.Equal(2, metrics["mm:tenant_requests_waiting{tenant=\"default\"}"]);
        Assert.Equal(1, metrics["mm:tenant_requests_running{tenant=\"default\"}"]);
        model.Release();
        await running;
        await Task.WhenAll(waiting);
        metrics = await ReadUntilAsync(gateway, metrics => metrics["mm:num_requests_running{model=\"held\"}"] == 0);
        Assert.Equal(0, metrics["mm:num_requests_waiting{model=\"held\"}"]);
        Assert.Equal(0, metrics["mm:tenant_requests_running{tenant=\"default\"}"]);
    }

    [Fact]
    public async Task A_stages_times_are_told_under_its_bounds()
    {
        using var control = new ClusterControl(new FakeCluster());
        await using TestGateway gateway = await TestGateway.StartAsync(new EchoModel(), new GatewayOptions { Control = control });
        var metrics = Exposition.Parse(await gateway.Http.GetStringAsync("/metrics", Stop));
        const string Stage = "model=\"a\",revision=\"k\",stage=\"backbone\",replica=\"0\",shard=\"0\",node=\"S127.0.0.1:1:1\"";
        Assert.Equal(2, metrics[$"mm:stage_queue_time_seconds_bucket{{{Stage},le=\"{DurationCounts.Bounds[1]}\"}}"]);
        Assert.Equal(3, metrics[$"mm:stage_queue_time_seconds_count{{{Stage}}}"]);
        Assert.Equal(2.5, metrics[$"mm:stage_queue_time_seconds_sum{{{Stage}}}"]);
    }

    // A request is in the gateway some moments after it was sent.
    private static async Task<Exposition> ReadUntilAsync(TestGateway gateway, Func<Exposition, bool> holds)
    {
        while (true)
        {
            var metrics = Exposition.Parse(await gateway.Http.GetStringAsync("/metrics", Stop));
            if (holds(metrics))
            {
                return metrics;
            }
            await Task.Yield();
        }
    }
}
