using System.Text.Json;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using MmCluster.Client;
using MmCluster.Protos.V1;

namespace MmCluster.EndToEnd.Tests.Harness;

/// <summary>
/// A cluster of <c>mm</c> processes on this machine, in a folder of its own. Ports are free ones. When a test fails, its output has the processes' logs;
/// everything that was started is ended by its process id.
/// </summary>
internal sealed class ProcessCluster : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("mm-e2e-");
    private readonly List<MmProcess> _processes = [];
    private readonly List<IDisposable> _clients = [];

    /// <summary>The cluster's folder; tests put their files below it.</summary>
    public string Folder => _folder.FullName;

    /// <summary>All processes, in the order of their starts.</summary>
    public IReadOnlyList<MmProcess> Processes => _processes;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Writes a file into the folder and returns its path.</summary>
    public string Write(string name, string text)
    {
        string path = Path.Combine(Folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    /// <summary>Starts a silo and waits until it has joined.</summary>
    public async Task<MmProcess> StartSiloAsync(
        string name, string role = "worker", IReadOnlyDictionary<string, string>? environment = null, params string[] more)
    {
        MmProcess silo = Begin(name, ["silo", "--name", name, "--role", role, "--threads", "1", .. more], environment);
        await silo.ReadyAsync(Stop);
        return silo;
    }

    /// <summary>Starts a gateway and waits until it serves; <paramref name="yaml"/> is its cluster.yaml, if any.</summary>
    public async Task<ClusterGateway> StartGatewayAsync(
        string name, string? yaml = null, IReadOnlyDictionary<string, string>? environment = null, params string[] more)
    {
        string[] config = yaml is null ? [] : ["--config", Write($"{name}.yaml", yaml)];
        MmProcess process = Begin(name, ["gateway", "--port", "0", .. config, .. more], environment);
        JsonElement ready = await process.ReadyAsync(Stop);
        var gateway = new ClusterGateway(process, new Uri(ready.GetProperty("base_url").GetString()!));
        _clients.Add(gateway);
        return gateway;
    }

    /// <summary>Starts any command of <c>mm</c> in this cluster.</summary>
    public MmProcess Begin(string name, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        MmProcess process = MmProcess.Start(
            name, arguments, new Dictionary<string, string>(environment ?? new Dictionary<string, string>()) { ["MM_CLUSTER_FOLDER"] = Folder });
        _processes.Add(process);
        return process;
    }

    /// <summary>The silo that a stage is on.</summary>
    public MmProcess ProcessOf(ClusterStatus status, Stage stage)
    {
        string name = status.Nodes.Single(node => node.Address == stage.Node || node.Name == stage.Node).Name;
        return _processes.Single(process => process.Name == name);
    }

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(client => client.Dispose());
        var failures = new List<Exception>();
        foreach (MmProcess process in Enumerable.Reverse(_processes))
        {
            try
            {
                await process.DisposeAsync();
            }
            catch (Exception error)
            {
                failures.Add(error);
            }
        }
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join('\n', _processes.Select(process => process.Log)));
        _folder.Delete(recursive: true);
        if (failures.Count > 0)
        {
            throw new AggregateException(failures);
        }
    }
}

/// <summary>A gateway's process and clients of it.</summary>
internal sealed class ClusterGateway : IDisposable
{
    private readonly GrpcChannel _channel;

    public ClusterGateway(MmProcess process, Uri address)
    {
        (Process, Address) = (process, address);
        Http = new HttpClient { BaseAddress = address, Timeout = Timeout.InfiniteTimeSpan };
        Client = new MmClient(address);
        _channel = GrpcChannel.ForAddress(address);
    }

    public MmProcess Process { get; }

    public Uri Address { get; }

    /// <summary>For OpenAI's routes.</summary>
    public HttpClient Http { get; }

    /// <summary>For the gRPC services; without a key.</summary>
    public MmClient Client { get; }

    /// <summary>Waits until <paramref name="model"/> is ready to answer.</summary>
    public async Task ServesAsync(string model, CancellationToken cancellationToken)
    {
        using AsyncServerStreamingCall<HealthCheckResponse> watch =
            new Health.HealthClient(_channel).Watch(new HealthCheckRequest { Service = model }, cancellationToken: cancellationToken);
        while (await watch.ResponseStream.MoveNext(cancellationToken))
        {
            if (watch.ResponseStream.Current.Status == HealthCheckResponse.Types.ServingStatus.Serving)
            {
                return;
            }
        }
        throw new InvalidOperationException($"{Process.Name} ended its watch of {model}");
    }

    public void Dispose()
    {
        Http.Dispose();
        Client.Dispose();
        _channel.Dispose();
    }
}
