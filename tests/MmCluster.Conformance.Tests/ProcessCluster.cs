using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using MmCluster.Cluster.LocalStorage;
using Orleans.Configuration;

namespace MmCluster.Conformance;

/// <summary>Three silos in three processes, and a client in the test's.</summary>
public sealed class ProcessCluster : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("conformance-").FullName;
    private readonly string _cluster = $"c{Guid.NewGuid():N}";
    private IHost? _client;

    internal List<SiloProcess> Silos { get; } = [];

    public IClusterClient Client => _client!.Services.GetRequiredService<IClusterClient>();

    /// <summary>One more client, for tests that need two.</summary>
    public async Task<IHost> ConnectAsync()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.UseOrleansClient(client =>
        {
            client.UseLocalFolderClustering(_folder);
            client.Configure<ClusterOptions>(options => options.ClusterId = options.ServiceId = _cluster);
        });
        builder.Services.AddSingleton(TimeProvider.System);
        IHost host = builder.Build();
        await host.StartAsync();
        return host;
    }

    /// <summary>One more silo, in the test's process.</summary>
    public async Task<IHost> JoinAsync()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.UseOrleans(silo => TestSilo.Configure(silo, _folder, _cluster, SiloProcess.FreePort(), SiloProcess.FreePort(), "test"));
        builder.Services.AddSingleton(TimeProvider.System);
        IHost host = builder.Build();
        await host.StartAsync();
        return host;
    }

    internal async Task<SiloProcess> AddAsync(string role)
    {
        SiloProcess silo = await SiloProcess.StartAsync(_folder, _cluster, role);
        Silos.Add(silo);
        return silo;
    }

    public async ValueTask InitializeAsync()
    {
        Silos.AddRange(await Task.WhenAll(
            SiloProcess.StartAsync(_folder, _cluster, "gpu"), SiloProcess.StartAsync(_folder, _cluster, "gpu"), SiloProcess.StartAsync(_folder, _cluster, "cpu")));
        _client = await ConnectAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _client!.StopAsync();
        _client.Dispose();
        foreach (SiloProcess silo in Silos)
        {
            await silo.DisposeAsync();
        }
        Directory.Delete(_folder, recursive: true);
    }
}

[CollectionDefinition(nameof(ProcessCluster))]
public sealed class ProcessClusterDefinition : ICollectionFixture<ProcessCluster>;
