using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MmCluster.Models;

namespace MmCluster.Cluster.Hosting;

/// <summary>
/// The providers that Orleans' own configuration names (docs/packages.md): the packages find theirs by it, Redis or AdoNet, before our hosting is asked. The stand-in has
/// none of them and says so.
/// </summary>
internal static class ConfiguredProviders
{
    private const string Clustering = "Orleans:Clustering:ProviderType";
    private const string Storage = "Orleans:GrainStorage:Default:ProviderType";

    /// <summary>Whether processes find each other by a provider of the configuration, not by a folder.</summary>
    /// <param name="configuration">The host's.</param>
    /// <param name="services">What was registered so far.</param>
    /// <param name="service">What the provider must have registered.</param>
    /// <exception cref="MmException">InvalidArgument: this build has no such provider.</exception>
    public static bool HasClustering(IConfiguration configuration, IServiceCollection services, Type service) =>
        configuration[Clustering] is not { } name ? false
        : services.Any(known => known.ServiceType == service) ? true
        : throw new MmException(MmErrorCode.InvalidArgument, $"{Clustering} is '{name}', which this build does not have: build with -p:UsePackages=true (docs/packages.md)");

    /// <summary>Whether grains keep their state in a provider of the configuration. With such a clustering they must: machines share no folder.</summary>
    /// <exception cref="MmException">InvalidArgument: there is none beside a clustering.</exception>
    public static bool HasStorage(IConfiguration configuration) => configuration[Storage] is not null ? true
        : configuration[Clustering] is not { } clustering ? false
        : throw new MmException(MmErrorCode.InvalidArgument, $"{Clustering} is '{clustering}', but {Storage} is not set: name where grains keep their state, AdoNet or Memory");
}
