using System.Globalization;
using MmCluster.Cli.Hosting;

namespace MmCluster.Cli.Benchmarks.Gateway;

/// <summary>Where gateway and stages run.</summary>
internal enum GatewayLayout
{
    /// <summary>Gateway and silo in one process: `mm serve --config`.</summary>
    One,

    /// <summary>A gateway's process and a silo's.</summary>
    Two,

    /// <summary>No grains: `mm serve --simulate`, the engine in the gateway's process.</summary>
    Local,
}

/// <summary>A gateway over a simulated model whose stages cost nothing.</summary>
internal sealed class GatewayUnderTest : IAsyncDisposable
{
    private const string Model = """
        schema: 1
        gateway: {max_queue: 4096, max_running: 256}
        models:
          sim:
            simulation: {step_milliseconds: 0, token_microseconds: 0, context_nanoseconds: 0, max_slots: 256, block_count: 65536}
            limits: {max_num_seqs: 256, max_queue: 4096}
        """;

    private const string Profile = """
        {"step_milliseconds": 0, "token_microseconds": 0, "context_nanoseconds": 0, "max_slots": 256, "block_count": 65536}
        """;

    private readonly TemporaryFolder _folder = new();
    private readonly List<ServerProcess> _processes = [];

    private GatewayUnderTest()
    {
    }

    public Uri Address { get; private set; } = null!;

    /// <summary>Starts the processes.</summary>
    public static async Task<GatewayUnderTest> StartAsync(GatewayLayout layout, CancellationToken cancellationToken)
    {
        var result = new GatewayUnderTest();
        string folder = result._folder.Path;
        string config = Path.Combine(folder, "cluster.yaml"), profile = Path.Combine(folder, "profile.json");
        await File.WriteAllTextAsync(config, Model, cancellationToken);
        await File.WriteAllTextAsync(profile, Profile, cancellationToken);
        string[] common = ["--cluster-folder", folder, "--log-level", "warning"];
        try
        {
            if (layout == GatewayLayout.Two)
            {
                result._processes.Add(await ServerProcess.StartAsync(["silo", .. common], cancellationToken));
            }
            string[] arguments = layout switch
            {
                GatewayLayout.One => ["serve", "--config", config, .. common],
                GatewayLayout.Two => ["gateway", "--config", config, .. common],
                _ => ["serve", "--simulate", profile, "--served-model-name", "sim"],
            };
            ServerProcess front = await ServerProcess.StartAsync([.. arguments, "--port", "0"], cancellationToken);
            result._processes.Add(front);
            result.Address = new Uri(front.Ready.GetProperty("base_url").GetString()!);
            return result;
        }
        catch
        {
            await result.DisposeAsync();
            throw;
        }
    }

    /// <summary>Bytes that the gateway's process has allocated on its managed heap so far.</summary>
    public async Task<double> AllocatedBytesAsync(HttpClient http, CancellationToken cancellationToken)
    {
        const string Name = "dotnet_gc_heap_total_allocated_bytes_total ";
        string text = await http.GetStringAsync(new Uri(Address, "/metrics"), cancellationToken);
        string line = text.Split('\n').First(line => line.StartsWith(Name, StringComparison.Ordinal));
        return double.Parse(line[Name.Length..], CultureInfo.InvariantCulture);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ServerProcess process in Enumerable.Reverse(_processes))
        {
            await process.DisposeAsync();
        }
        _folder.Dispose();
    }
}
