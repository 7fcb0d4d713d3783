using Microsoft.Extensions.DependencyInjection;
using Orleans.Messaging;
using Orleans.Runtime.Hosting;

namespace MmCluster.Cluster.LocalStorage;

/// <summary>Where the processes of one machine keep what they share.</summary>
public sealed class LocalFolderOptions
{
    /// <summary>The folder; all processes of the cluster name the same. It is made where it is missing.</summary>
    public string Folder { get; set; } = Path.Combine(Path.GetTempPath(), "mmcluster");
}

/// <summary>Registers membership, gateways and grain storage of a local folder.</summary>
public static class LocalFolderHosting
{
    /// <summary>Keeps the membership table in <paramref name="folder"/>.</summary>
    public static ISiloBuilder UseLocalFolderClustering(this ISiloBuilder builder, string folder)
    {
        builder.Services.Configure<LocalFolderOptions>(options => options.Folder = folder);
        builder.Services.AddSingleton<IMembershipTable, LocalMembershipTable>();
        return builder;
    }

    /// <summary>Finds gateways by the membership table in <paramref name="folder"/>.</summary>
    public static IClientBuilder UseLocalFolderClustering(this IClientBuilder builder, string folder)
    {
        builder.Services.Configure<LocalFolderOptions>(options => options.Folder = folder);
        builder.Services.AddSingleton<IGatewayListProvider, LocalGatewayListProvider>();
        return builder;
    }

    /// <summary>Keeps grain states in <paramref name="folder"/>; "Default" is the storage of grains that name none.</summary>
    public static ISiloBuilder AddLocalFolderGrainStorage(this ISiloBuilder builder, string folder, string name = "Default")
    {
        builder.Services.AddGrainStorage(name, (services, key) => new LocalGrainStorage(folder, key, services.GetService<TimeProvider>() ?? TimeProvider.System));
        return builder;
    }
}
