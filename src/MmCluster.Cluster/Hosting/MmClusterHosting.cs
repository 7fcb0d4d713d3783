using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using MmCluster.Cluster.Grains;
using MmCluster.Cluster.LocalStorage;
using MmCluster.Cluster.Nodes;
using MmCluster.Cluster.Placement;
using MmCluster.Cluster.Sources;
using MmCluster.Cluster.Stages;
using MmCluster.Cluster.TensorLink;
using Orleans.Configuration;
using Orleans.Messaging;
using Orleans.Runtime.MembershipService.SiloMetadata;

namespace MmCluster.Cluster.Hosting;

/// <summary>Makes a host a silo or a client of a cluster: everything but the host itself.</summary>
public static class MmClusterHosting
{
    // DESIGN 4: a killed silo is declared dead within 5 s.
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(1);

    // DESIGN 5: no grain call lasts longer.
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Makes the silo a node that runs stages, unless its role is <see cref="MmSiloOptions.GatewayRole"/>. Its host has an <see cref="IModelCluster"/> too, which begins
    /// to follow the cluster when it is first asked for: ask when the host has started.
    /// </summary>
    public static ISiloBuilder AddMmSilo(this ISiloBuilder builder, MmSiloOptions options)
    {
        builder.Configure<ClusterMembershipOptions>(membership =>
        {
            membership.ProbeTimeout = ProbeTimeout;
            membership.NumMissedProbesLimit = 3;
            membership.NumVotesForDeathDeclaration = 1;
        });
        builder.Configure<SiloMessagingOptions>(messaging => messaging.ResponseTimeout = CallTimeout);
        bool clustered = ConfiguredProviders.HasClustering(builder.Configuration, builder.Services, typeof(IMembershipTable));
        if (!clustered && options.ClusterFolder is { } folder)
        {
            builder.UseLocalFolderClustering(folder);
        }
        if (clustered || options.ClusterFolder is not null)
        {
            builder.Configure<ClusterOptions>(cluster => SetIds(cluster, options));
            builder.Configure<EndpointOptions>(endpoints =>
            {
                endpoints.AdvertisedIPAddress = IPAddress.Parse(options.Host);
                endpoints.SiloPort = options.SiloPort == 0 ? FreePort(endpoints.AdvertisedIPAddress) : options.SiloPort;
                endpoints.GatewayPort = options.GatewayPort == 0 ? FreePort(endpoints.AdvertisedIPAddress) : options.GatewayPort ?? 0;
            });
        }
        if (!ConfiguredProviders.HasStorage(builder.Configuration) && (options.StateFolder ?? options.ClusterFolder) is { } state)
        {
            builder.AddLocalFolderGrainStorage(Path.Combine(state, "state"));
        }
        NodeName name = new(options.Name ?? $"{Environment.MachineName}-{Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}");
        IGpuInventory gpus = options.Role == MmSiloOptions.GatewayRole ? new NoGpus() : new MachineGpus();
        builder.UseSiloMetadata(MetadataOf(options, name, gpus));
        builder.AddPlacementDirector<StagePlacementStrategy, StagePlacementDirector>();
        builder.AddPlacementDirector<NodePlacementStrategy, NodePlacementDirector>();
        builder.AddStartupTask(WakeAsync);
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(name);
        builder.Services.AddProcess(options);
        builder.Services.AddSingleton<ClusterView>();
        builder.Services.AddSingleton<StageLoader>();
        builder.Services.AddSingleton(gpus);
        builder.Services.AddSingleton(provider => new NodeLedger(
            NodeDevice.Of(options, provider.GetRequiredService<IGpuInventory>()), provider.GetRequiredService<TimeProvider>()));
        builder.Services.AddSingleton<INodeDevices, SiloDevices>();
        builder.Services.AddSingleton(provider => new StageHost(
            provider.GetRequiredService<NodeLedger>(),
            provider.GetRequiredService<StageLoader>(),
            provider.GetRequiredService<ILocalSiloDetails>().SiloAddress.ToParsableString()));
        return builder;
    }

    /// <summary>Makes the process a client of the cluster with an <see cref="IModelCluster"/>: a gateway or a tool.</summary>
    public static IClientBuilder AddMmClient(this IClientBuilder builder, MmClientOptions options)
    {
        builder.Configure<ClientMessagingOptions>(messaging => messaging.ResponseTimeout = CallTimeout);
        bool clustered = ConfiguredProviders.HasClustering(builder.Configuration, builder.Services, typeof(IGatewayListProvider));
        if (!clustered && options.ClusterFolder is { } folder)
        {
            builder.UseLocalFolderClustering(folder);
        }
        if (clustered || options.ClusterFolder is not null)
        {
            builder.Configure<ClusterOptions>(cluster => SetIds(cluster, options));
        }
        builder.Services.AddProcess(options);
        return builder;
    }

    // Brings the deployed models up, as after a restart of every process. The catalog does it when it comes up itself.
    private static Task WakeAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        _ = services.GetRequiredService<IGrainFactory>().GetGrain<ICatalogGrain>(ICatalogGrain.Key).ListAsync(0);
        return Task.CompletedTask;
    }

    private static void AddProcess(this IServiceCollection services, MmProcessOptions options)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(options);
        services.TryAddSingleton<ModelSource>();
        services.TryAddSingleton<IModelCluster, ModelCluster>();
        services.TryAddSingleton(provider => new TensorLinkEndpoint(LinkOptions.Of(options), provider.GetRequiredService<TimeProvider>()));
    }

    private static void SetIds(ClusterOptions cluster, MmProcessOptions options) => (cluster.ClusterId, cluster.ServiceId) = (options.ClusterId, options.ClusterId);

    private static Dictionary<string, string> MetadataOf(MmSiloOptions options, NodeName name, IGpuInventory gpus) => new()
    {
        [NodeMetadata.Name] = name.Name,
        [NodeMetadata.Role] = options.Role,
        [NodeMetadata.Zone] = options.Zone,
        [NodeMetadata.GpuCount] = gpus.Gpus.Count(gpu => gpu.IsUsable).ToString(CultureInfo.InvariantCulture),
        [NodeMetadata.GpuMemory] = gpus.Gpus.Where(gpu => gpu.IsUsable).Sum(gpu => gpu.TotalBytes).ToString(CultureInfo.InvariantCulture),
    };

    // Orleans advertises a silo's port before it listens, so it cannot be left to the system.
    private static int FreePort(IPAddress address)
    {
        using var probe = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(address, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }
}
