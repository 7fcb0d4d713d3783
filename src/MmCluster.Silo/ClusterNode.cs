using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MmCluster.Cluster;
using MmCluster.Cluster.Hosting;
using MmCluster.Models;

namespace MmCluster.Silo;

/// <summary>This process as a part of a cluster: a silo that runs stages, or a client of the silos. Disposing leaves the cluster.</summary>
public sealed class ClusterNode : IAsyncDisposable
{
    private static readonly TimeSpan ConnectionPause = TimeSpan.FromMilliseconds(250);

    private readonly IHost _host;

    private ClusterNode(IHost host) => _host = host;

    /// <summary>The cluster, as this process sees it.</summary>
    public IModelCluster Cluster => _host.Services.GetRequiredService<IModelCluster>();

    /// <summary>The silo's address, as `mm status` shows it and `mm drain` takes it; only in a silo.</summary>
    public string Address => _host.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress.ToParsableString();

    /// <summary>The silo's devices; only in a silo.</summary>
    public INodeDevices Devices => _host.Services.GetRequiredService<INodeDevices>();

    /// <summary>Joins as a silo.</summary>
    /// <param name="options">What it must be told.</param>
    /// <param name="configure">What the host has besides: where logs go.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="MmException">Unavailable: a port is taken, or the cluster's folder cannot be used; InvalidArgument: a provider that this build does not have.</exception>
    public static Task<ClusterNode> StartSiloAsync(MmSiloOptions options, Action<ILoggingBuilder> configure, CancellationToken cancellationToken) =>
        StartAsync(options, builder => builder.UseOrleans(silo => silo.AddMmSilo(options)), configure, cancellationToken);

    /// <summary>Joins as a client; until a silo can be reached it tries again.</summary>
    /// <param name="options">What it must be told.</param>
    /// <param name="configure">What the host has besides: where logs go.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static Task<ClusterNode> StartClientAsync(MmClientOptions options, Action<ILoggingBuilder> configure, CancellationToken cancellationToken) =>
        StartAsync(
            options, builder => builder.UseOrleansClient(client => client.AddMmClient(options).UseConnectionRetryFilter(WaitAsync)), configure, cancellationToken);

    /// <summary>Stops: stages end, the silo leaves the membership.</summary>
    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }

    private static async Task<bool> WaitAsync(Exception error, CancellationToken cancellationToken)
    {
        await Task.Delay(ConnectionPause, cancellationToken);
        return true;
    }

    private static async Task<ClusterNode> StartAsync(
        MmProcessOptions options, Action<HostApplicationBuilder> join, Action<ILoggingBuilder> configure, CancellationToken cancellationToken)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(options.Orleans.Select(setting => KeyValuePair.Create($"Orleans:{setting.Key}", setting.Value)));
        configure(builder.Logging);
        join(builder);
        IHost host = builder.Build();
        try
        {
            await host.StartAsync(cancellationToken);
            return new ClusterNode(host);
        }
        catch (Exception error) when (error is IOException or System.Net.Sockets.SocketException)
        {
            host.Dispose();
            throw new MmException(MmErrorCode.Unavailable, $"cannot join the cluster: {error.Message}", error);
        }
        catch
        {
            host.Dispose();
            throw;
        }
    }
}
