using MmCluster.Cluster.LocalStorage;
using MmCluster.Conformance.Grains;
using Orleans.Configuration;
using Orleans.TestingHost;

namespace MmCluster.Conformance;

/// <summary>One silo in the test's own process, where both sides of a call can be looked at.</summary>
public sealed class InsideCluster : IAsyncLifetime
{
    private readonly InProcessTestCluster _cluster;

    public InsideCluster()
    {
        InProcessTestClusterBuilder builder = new(1);
        builder.ConfigureSilo((_, silo) =>
        {
            silo.AddLocalFolderGrainStorage(Folder);
            silo.AddPlacementDirector<HintPlacement, HintDirector>();
            silo.Configure<GrainCollectionOptions>(options =>
            {
                options.CollectionAge = TimeSpan.FromSeconds(2);
                options.CollectionQuantum = TimeSpan.FromSeconds(1);
            });
        });
        _cluster = builder.Build();
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("inside-").FullName;

    public IClusterClient Client => _cluster.Client;

    /// <summary>The silo's own factory: its calls stay in the process.</summary>
    public IGrainFactory Grains => (IGrainFactory)_cluster.GetSiloServiceProvider().GetService(typeof(IGrainFactory))!;

    public async ValueTask InitializeAsync() => await _cluster.DeployAsync();

    public async ValueTask DisposeAsync()
    {
        await _cluster.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}
