using MmCluster.EndToEnd.Tests.Harness;

[assembly: AssemblyFixture(typeof(MmCluster.EndToEnd.Tests.SixProcesses))]

namespace MmCluster.EndToEnd.Tests;

/// <summary>
/// The cluster of the app host, started for the first test that asks for it: two encoder silos, a backbone over two silos, a spare one and a gateway, with the
/// shipped model. Tests that kill or drain make their own.
/// </summary>
public sealed class SixProcesses : IAsyncDisposable
{
    /// <summary>What tests ask about <see cref="Picture"/>.</summary>
    internal const string Question = "What is in the picture?";

    private readonly ProcessCluster _cluster = new();
    private readonly SemaphoreSlim _one = new(1, 1);
    private ClusterGateway? _gateway;
    private string? _alone;

    internal static string Picture { get; } = Path.Combine(AppContext.BaseDirectory, "models", "mini", "demo", "park.png");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    internal static async Task<ClusterGateway> StartAsync(ProcessCluster cluster, params string[] more)
    {
        await Task.WhenAll(
            cluster.StartSiloAsync("encoder-1", "encoder"),
            cluster.StartSiloAsync("encoder-2", "encoder"),
            cluster.StartSiloAsync("backbone-1", "backbone", more: ["--metrics-port", "0"]),
            cluster.StartSiloAsync("backbone-2", "backbone", more: ["--metrics-port", "0"]),
            cluster.StartSiloAsync("spare", "backbone", more: ["--metrics-port", "0"]));
        ClusterGateway gateway = await cluster.StartGatewayAsync(
            "gateway", await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "cluster.yaml"), Stop), more: more);
        await gateway.ServesAsync("mini", Stop);
        return gateway;
    }

    internal async Task<ClusterGateway> GatewayAsync()
    {
        await _one.WaitAsync(Stop);
        try
        {
            return _gateway ??= await StartAsync(_cluster);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>What /metrics of the silos that may run the backbone say, one behind the other.</summary>
    internal async Task<string> BackboneMetricsAsync()
    {
        using var http = new HttpClient();
        var text = new System.Text.StringBuilder();
        foreach (MmProcess silo in _cluster.Processes.Where(process => process.Name is "backbone-1" or "backbone-2" or "spare"))
        {
            Uri metrics = new((await silo.ReadyAsync(Stop)).GetProperty("metrics_url").GetString()!);
            text.Append(await http.GetStringAsync(new Uri(metrics, "/metrics"), Stop));
        }
        return text.ToString();
    }

    /// <summary>What `mm run` alone answers to the question.</summary>
    internal async Task<string> AloneAsync()
    {
        await _one.WaitAsync(Stop);
        try
        {
            if (_alone is null)
            {
                MmProcess run = _cluster.Begin("run", ["run", "mini", Question, "--image", Picture, "--dtype", "f32", "--max-tokens", "64", "--threads", "1"]);
                _alone = (await run.ReadyAsync(Stop)).GetProperty("text").GetString()!;
            }
            return _alone;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _cluster.DisposeAsync();
}
