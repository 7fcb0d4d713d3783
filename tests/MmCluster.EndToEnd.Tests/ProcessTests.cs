using System.Net;
using MmCluster.EndToEnd.Tests.Harness;
using MmCluster.Protos.V1;

namespace MmCluster.EndToEnd.Tests;

/// <summary>Silos and a gateway as processes of their own, with a model that computes nothing.</summary>
public sealed class ProcessTests
{
    internal const string Simulated = """
        schema: 1
        models:
          sim:
            simulation: {step_milliseconds: 0, token_microseconds: 0, context_nanoseconds: 0}
        """;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_gateway_answers_with_what_a_silo_computes()
    {
        await using var cluster = new ProcessCluster();
        await cluster.StartSiloAsync("one");
        ClusterGateway gateway = await cluster.StartGatewayAsync("gateway", Simulated);
        await gateway.ServesAsync("sim", Stop);
        int tokens = 0;
        await foreach (GenerateEvent piece in gateway.Client.GenerateAsync(
            new GenerateRequest { Model = "sim", Text = "hello", Sampling = new SamplingParameters { MaxTokens = 16, IgnoreEos = true }, ReturnTokenIds = true }, Stop))
        {
            tokens += piece.TokenIds.Count;
        }
        Assert.Equal(16, tokens);
        ClusterStatus status = await gateway.Client.StatusAsync(Stop);
        Assert.Contains(status.Nodes, node => node.Name == "one");
        Assert.Contains(status.Stages, stage => stage.Models.Contains("sim") && stage.State == "Ready");
    }

    [Fact]
    public async Task An_invalid_file_leaves_the_old_one_running_and_a_valid_one_is_applied_at_SIGHUP()
    {
        await using var cluster = new ProcessCluster();
        await cluster.StartSiloAsync("one");
        ClusterGateway gateway = await cluster.StartGatewayAsync("gateway", Simulated);
        await gateway.ServesAsync("sim", Stop);

        cluster.Write("gateway.yaml", Simulated + "\nmodells: {}\n");
        gateway.Process.HangUp();
        await gateway.Process.SaysAsync("unknown key 'modells'", Stop);
        Assert.Equal("sim", Assert.Single(await gateway.Client.ListModelsAsync(Stop)).Name);

        cluster.Write("gateway.yaml", Simulated + "\n  sim2:\n    simulation: {step_milliseconds: 0}\ngateway: {max_queue: 7}\n");
        gateway.Process.HangUp();
        await gateway.Process.SaysAsync("deploy sim2", Stop);
        await gateway.Process.SaysAsync("gateway.max_queue", Stop);
        await gateway.ServesAsync("sim2", Stop);
    }

    [Fact]
    public async Task Everything_in_one_process_is_a_cluster_too()
    {
        await using var cluster = new ProcessCluster();
        MmProcess serve = cluster.Begin("serve", ["serve", "--config", cluster.Write("c.yaml", Simulated), "--port", "0"]);
        using var gateway = new ClusterGateway(serve, new Uri((await serve.ReadyAsync(Stop)).GetProperty("base_url").GetString()!));
        await gateway.ServesAsync("sim", Stop);
        using HttpResponseMessage answer = await gateway.Http.PostAsync(
            "/v1/completions", new StringContent("""{"model":"sim","prompt":"a","max_tokens":3,"ignore_eos":true}"""), Stop);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(0, await serve.StopAsync() % 143);
    }
}
