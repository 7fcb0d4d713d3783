using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Configuration;
using Orleans.Runtime.Membership;

namespace Orleans.Hosting;

/// <summary>Clusters without a provider of their own.</summary>
public static class CoreHostingExtensions
{
    /// <summary>A cluster of one silo on loopback, whose membership table is in its own memory.</summary>
    /// <exception cref="NotSupportedException"><paramref name="primarySiloEndpoint"/> is another silo: use a folder instead.</exception>
    public static ISiloBuilder UseLocalhostClustering(
        this ISiloBuilder builder,
        int siloPort = EndpointOptions.DEFAULT_SILO_PORT,
        int gatewayPort = EndpointOptions.DEFAULT_GATEWAY_PORT,
        IPEndPoint? primarySiloEndpoint = null,
        string serviceId = "dev",
        string clusterId = "dev")
    {
        if (primarySiloEndpoint is not null && primarySiloEndpoint.Port != siloPort)
        {
            throw new NotSupportedException("a silo that others join keeps its membership table in a folder: use UseLocalFolderClustering.");
        }
        builder.Configure<ClusterOptions>(options =>
        {
            options.ServiceId = serviceId;
            options.ClusterId = clusterId;
        });
        builder.Configure<EndpointOptions>(options =>
        {
            options.AdvertisedIPAddress = IPAddress.Loopback;
            options.SiloPort = siloPort;
            options.GatewayPort = gatewayPort;
        });
        builder.Services.AddSingleton<IMembershipTable>(new InMemoryMembershipTable());
        return builder;
    }
}
