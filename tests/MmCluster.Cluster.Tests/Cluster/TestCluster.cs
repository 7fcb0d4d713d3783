using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Hosting;
using MmCluster.Cluster.Nodes;
using MmCluster.Cluster.Status;
using MmCluster.Cluster.TensorLink;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Engine.Simulation;
using Orleans.TestingHost;

namespace MmCluster.Cluster.Tests;

/// <summary>Silos and a gateway's side in this process, over loopback, with a state folder of its own.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private readonly InProcessTestCluster _cluster;
    private readonly string _folder;
    private readonly bool _ownsFolder;

    private TestCluster(InProcessTestCluster cluster, string folder, bool ownsFolder) => (_cluster, _folder, _ownsFolder) = (cluster, folder, ownsFolder);

    public IModelCluster Models => _cluster.Client.ServiceProvider.GetRequiredService<IModelCluster>();

    public IGrainFactory Grains => _cluster.Client;

    public TensorLinkEndpoint GatewayLink => _cluster.Client.ServiceProvider.GetRequiredService<TensorLinkEndpoint>();

    public IEnumerable<InProcessSiloHandle> Silos => _cluster.GetActiveSilos();

    /// <summary>Bytes that anybody holds for anybody.</summary>
    public long LeasedBytes => GatewayLink.LeasedBytes + Silos.Sum(silo => silo.ServiceProvider.GetRequiredService<TensorLinkEndpoint>().LeasedBytes);

    public static string ModelsFolder { get; } = FindModels();

    public static async Task<TestCluster> StartAsync(short silos, string? folder = null, string? cards = null, Action<IServiceCollection>? services = null)
    {
        string state = folder ?? Directory.CreateTempSubdirectory("mm-cluster-").FullName;
        InProcessTestClusterBuilder builder = new(silos);
        builder.ConfigureSilo((options, silo) =>
        {
            MmSiloOptions own = new()
            {
                ClusterSecret = "secret",
                StateFolder = state,
                CardsFolder = cards ?? ModelsFolder,
                StoreFolder = state,
                Name = options.SiloName,
                MemoryBytes = 4L << 30,
                TensorLinkBytes = 64 << 20,
            };
            silo.AddMmSilo(own);
            services?.Invoke(silo.Services);
        });
        builder.ConfigureClient(client => client.AddMmClient(new MmClientOptions
        {
            ClusterSecret = "secret",
            CardsFolder = cards ?? ModelsFolder,
            StoreFolder = state,
            TensorLinkBytes = 64 << 20,
        }));
        if (Environment.GetEnvironmentVariable("MM_TEST_LOG") is not null)
        {
            builder.ConfigureHost(host => host.Logging.AddSimpleConsole(console => console.TimestampFormat = "ss.fff ").SetMinimumLevel(LogLevel.Debug));
        }
        InProcessTestCluster cluster = builder.Build();
        await cluster.DeployAsync();
        return new TestCluster(cluster, state, folder is null);
    }

    public async Task<ClusterModel> DeployAsync(ModelDeployment deployment)
    {
        await Models.DeployAsync(deployment, TestContext.Current.CancellationToken);
        return await ReadyAsync(deployment.Name);
    }

    public async Task<ClusterModel> ReadyAsync(string model)
    {
        await Eventually.TrueAsync(() => Find(model) is { Ready: true }, () => $"'{model}' did not become ready: {Find(model)?.Problem}");
        return Find(model)!;
    }

    public ClusterModel? Find(string model) => Models.Models.FirstOrDefault(known => known.Name == model);

    public Task<ClusterStatus> StatusAsync() => Models.StatusAsync(TestContext.Current.CancellationToken);

    /// <summary>Waits until the cluster's status is as it should be.</summary>
    public async Task<ClusterStatus> UntilAsync(Func<ClusterStatus, bool> condition, string otherwise)
    {
        ClusterStatus status = await StatusAsync();
        await Eventually.TrueAsync(
            async () => condition(status = await StatusAsync()),
            () => $"{otherwise}: {string.Join("; ", status.Stages.Select(stage => $"{stage.Key} {stage.State} on {stage.Node} used {stage.Load.QueueUsed}"))}"
                + $" {string.Join("; ", status.Models.Select(model => model.Problem))}");
        return status;
    }

    public InProcessSiloHandle SiloOf(string node) => TrySiloOf(node) ?? throw new InvalidOperationException($"there is no silo {node}");

    /// <summary>The silo of a node, or null where it is no more.</summary>
    public InProcessSiloHandle? TrySiloOf(string node) =>
        Silos.SingleOrDefault(silo => silo.ServiceProvider.GetRequiredService<ILocalSiloDetails>().SiloAddress.ToParsableString() == node);

    public StageHost HostOf(string node) => SiloOf(node).ServiceProvider.GetRequiredService<StageHost>();

    public Task KillAsync(InProcessSiloHandle silo) => _cluster.KillSiloAsync(silo);

    public Task StartSiloAsync() => _cluster.StartAdditionalSiloAsync();

    public async Task<List<SequenceOutput>> GenerateAsync(string model, ModelRequest request)
    {
        List<SequenceOutput> entries = [];
        await foreach (SequenceOutput entry in Models.GenerateAsync(model, request, TestContext.Current.CancellationToken))
        {
            entries.Add(entry);
        }
        return entries;
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        if (_ownsFolder)
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    /// <summary>A model without weights whose steps take <paramref name="stepMilliseconds"/>.</summary>
    public static ModelDeployment Simulated(string name = "sim", double stepMilliseconds = 0, int maxQueue = 64) => new()
    {
        Name = name,
        Simulation = Profile(stepMilliseconds),
        Limits = new EngineLimits { MaxQueue = maxQueue },
    };

    public static SimulationProfile Profile(double stepMilliseconds) => new()
    {
        StepMilliseconds = stepMilliseconds,
        TokenMicroseconds = 0,
        ContextNanoseconds = 0,
        VocabularySize = 1000,
    };

    public static ModelRequest Request(int maxTokens, int seed = 1, int choices = 1) => new()
    {
        Input = new ModelInput.Text($"tell me of {seed}"),
        Sampling = new SamplingParameters { MaxTokens = maxTokens, Seed = (ulong)seed, Choices = choices },
    };

    /// <summary>The ids that one engine alone gives, by choice.</summary>
    public static async Task<int[][]> AloneAsync(ModelRequest request)
    {
        await using EngineHost host = new(new Engine.Engine(new SimulatedExecutor(Profile(0), TimeProvider.System), new EngineOptions()));
        List<SequenceOutput> entries = [];
        EngineRequest own = new() { Id = "alone", Prompt = [new PromptPiece.Tokens(BytePrompt.Of(request.Input))], Sampling = request.Sampling };
        await foreach (SequenceOutput entry in host.GenerateAsync(own))
        {
            entries.Add(entry);
        }
        return Ids(entries, request.Sampling.Choices);
    }

    public static int[][] Ids(IEnumerable<SequenceOutput> entries, int choices = 1) =>
        [.. Enumerable.Range(0, choices).Select(choice => entries.Where(entry => entry.Choice == choice).SelectMany(entry => entry.TokenIds.ToArray()).ToArray())];

    private static string FindModels()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "MmCluster.sln")))
        {
            folder = folder.Parent;
        }
        return Path.Combine(folder!.FullName, "models");
    }
}
