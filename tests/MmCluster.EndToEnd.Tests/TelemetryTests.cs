using System.Net;
using MmCluster.EndToEnd.Tests.Harness;

namespace MmCluster.EndToEnd.Tests;

public sealed class TelemetryTests
{
    private const string CallersTrace = "\u000a\u00f7\u0065\u0019\u0016\u00cd\u0043\u00dd";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Spans_of_gateway_and_stages_are_sent_by_OTLP_when_asked()
    {
        await using OtlpReceiver receiver = await OtlpReceiver.StartAsync();
        await using var cluster = new ProcessCluster();
        string[] otlp = ["--otlp-endpoint", new Uri(receiver.Address, "v1/traces").ToString()];
        var environment = new Dictionary<string, string> { ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf" };
        await cluster.StartSiloAsync("one", environment: environment, more: otlp);
        ClusterGateway gateway = await cluster.StartGatewayAsync("gateway", ProcessTests.Simulated, environment, otlp);
        await gateway.ServesAsync("sim", Stop);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = new StringContent("""{"model":"sim","prompt":"a secret","max_tokens":3,"ignore_eos":true}"""),
        };
        request.Headers.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        Assert.Equal(HttpStatusCode.OK, (await gateway.Http.SendAsync(request, Stop)).StatusCode);
        await receiver.SawAsync(Stop, "generate sim", "gen_ai.request.model", "MmCluster.Cluster", "backbone");
        // All of it is the caller's own trace, and nothing of the prompt is in it.
        Assert.True(receiver.Received.All(message => message.Contains(CallersTrace, StringComparison.Ordinal) || !message.Contains("generate sim", StringComparison.Ordinal)));
        Assert.DoesNotContain(receiver.Received, message => message.Contains("a secret", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Metrics_tell_of_stages_and_the_process()
    {
        await using var cluster = new ProcessCluster();
        await cluster.StartSiloAsync("one");
        ClusterGateway gateway = await cluster.StartGatewayAsync("gateway", ProcessTests.Simulated);
        await gateway.ServesAsync("sim", Stop);
        using HttpResponseMessage answer = await gateway.Http.PostAsync(
            "/v1/completions", new StringContent("""{"model":"sim","prompt":"a","max_tokens":3,"ignore_eos":true}"""), Stop);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        string text = await gateway.Http.GetStringAsync("/metrics", Stop);
        Assert.Contains("mm:generation_tokens_total{model=\"sim\"} 3\n", text, StringComparison.Ordinal);
        Assert.Matches("mm:stage_busy_seconds_total\\{model=\"sim\",[^}]*stage=\"backbone\",replica=\"0\"", text);
        Assert.Contains("dotnet_gc_heap_total_allocated_bytes_total", text, StringComparison.Ordinal);
    }
}
