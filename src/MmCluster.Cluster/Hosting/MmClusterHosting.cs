using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using MmCluster.Cluster.LocalStorage;
using MmCluster.Cluster.TensorLink;
using Orleans.Configuration;
using Orleans.Runtime.MembershipService.SiloMetadata;

namespace MmCluster.Cluster.Hosting;

/// <summary>Makes a host a silo or a client of a cluster: everything but the host itself.</summary>
public static class MmClusterHosting
{
    // DESIGN 4: a killed silo is declared dead within 5 s.
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(1);

    // DESIGN 5: no grain call lasts longer.
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Makes the silo a node that runs stages, unless its role is <see cref="MmSiloOptions.GatewayRole"/>.</summary>
    public static ISiloBuilder AddMmSilo(this ISiloBuilder builder, MmSiloOptions options)
    {
        builder.Configure<ClusterMembershipOptions>(membership =>
        {
            membership.ProbeTimeout = ProbeTimeout;
            membership.NumMissedProbesLimit = 3;
            membership.NumVotesForDeathDeclaration = 1;
        });
        builder.Configure<SiloMessagingOptions>(messaging => messaging.ResponseTimeout = CallTimeout);
        if (options.ClusterFolder is { } folder)
        {
            builder.Configure<ClusterOptions>(cluster => SetIds(cluster, options));
            builder.UseLocalFolderClustering(folder);
            builder.Configure<EndpointOptions>(endpoints =>
            {
                endpoints.AdvertisedIPAddress = IPAddress.Parse(options.Host);
                endpoints.SiloPort = options.SiloPort == 0 ? FreePort(endpoints.AdvertisedIPAddress) : options.SiloPort;
                endpoints.GatewayPort = options.GatewayPort == 0 ? FreePort(endpoints.AdvertisedIPAddress) : options.GatewayPort ?? 0;
            });
        }
        if ((options.StateFolder ?? options.ClusterFolder) is { } state)
        {
            builder.AddLocalFolderGrainStorage(Path.Combine(state, "state"));
        }
        builder.UseSiloMetadata(MetadataOf(options));
        builder.Services.AddSingleton(options);
        builder.Services.AddProcess(options);
        return builder;
    }

    /// <summary>Makes the process a client of the cluster with an <see cref="IModelCluster"/>: a gateway or a tool.</summary>
    public static IClientBuilder AddMmClient(this IClientBuilder builder, MmClientOptions options)
    {
        builder.Configure<ClientMessagingOptions>(messaging => messaging.ResponseTimeout = CallTimeout);
        if (options.ClusterFolder is { } folder)
        {
            builder.Configure<ClusterOptions>(cluster => SetIds(cluster, options));
            builder.UseLocalFolderClustering(folder);
        }
        builder.Services.AddProcess(options);
        return builder;
    }

    private static void AddProcess(this IServiceCollection services, MmProcessOptions options)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(options);
        services.TryAddSingleton(provider => new TensorLinkEndpoint(LinkOptions.Of(options), provider.GetRequiredService<TimeProvider>()));
    }

    private static void SetIds(ClusterOptions cluster, MmProcessOptions options) => (cluster.ClusterId, cluster.ServiceId) = (options.ClusterId, options.ClusterId);

    private static Dictionary<string, string> MetadataOf(MmSiloOptions options) => new()
    {
        [NodeMetadata.Name] = options.Name ?? $"{Environment.MachineName}-{Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}",
        [NodeMetadata.Role] = options.Role,
        [NodeMetadata.Zone] = options.Zone,
        // GPUs are counted here when a stage can run on one.
        [NodeMetadata.GpuCount] = "0",
        [NodeMetadata.GpuMemory] = "0",
    };

    // Orleans advertises a silo's port before it listens, so it cannot be left to the system.
    private static int FreePort(IPAddress address)
    {
        using var probe = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(address, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }
}
