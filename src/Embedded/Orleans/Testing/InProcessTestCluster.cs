using System.Collections.ObjectModel;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.Messaging;
using Orleans.Runtime;
using Orleans.Runtime.Membership;
using Orleans.Runtime.Silo;

namespace Orleans.TestingHost;

/// <summary>Several silos and a client in this process, connected over loopback.</summary>
public sealed class InProcessTestCluster : IDisposable, IAsyncDisposable
{
    private readonly List<InProcessSiloHandle> _silos = [];
    private readonly InMemoryMembershipTable _table;
    private IHost? _client;
    private int _started;

    /// <summary>A cluster that is not started yet.</summary>
    public InProcessTestCluster(InProcessTestClusterOptions options, ITestClusterPortAllocator portAllocator)
    {
        Options = options;
        PortAllocator = portAllocator;
        _table = new InMemoryMembershipTable();
    }

    /// <summary>The silos that were started and not stopped.</summary>
    public ReadOnlyCollection<InProcessSiloHandle> Silos => _silos.AsReadOnly();

    /// <summary>What the cluster is made of.</summary>
    public InProcessTestClusterOptions Options { get; }

    /// <summary>The client.</summary>
    /// <exception cref="InvalidOperationException">It has not been started.</exception>
    public IClusterClient Client => _client?.Services.GetRequiredService<IClusterClient>()
        ?? throw new InvalidOperationException("The client is not started: call DeployAsync or InitializeClientAsync.");

    /// <summary>Gives out the ports.</summary>
    public ITestClusterPortAllocator PortAllocator { get; }

    /// <summary>The services of a silo, the first by default.</summary>
    public IServiceProvider GetSiloServiceProvider(SiloAddress? silo = null) =>
        (silo is null ? _silos[0] : GetSiloForAddress(silo) ?? throw new ArgumentException($"{silo} is no silo of this cluster.", nameof(silo))).ServiceProvider;

    /// <summary>Starts silos and client.</summary>
    public async Task DeployAsync()
    {
        await StartSilosAsync(Options.InitialSilosCount);
        await WaitForLivenessToStabilizeAsync();
        if (Options.InitializeClientOnDeploy)
        {
            await InitializeClientAsync();
        }
    }

    /// <summary>The silos that run.</summary>
    public IEnumerable<InProcessSiloHandle> GetActiveSilos() => _silos.Where(silo => silo.IsActive);

    /// <summary>The silo at an address, or null.</summary>
    public InProcessSiloHandle? GetSiloForAddress(SiloAddress siloAddress) =>
        _silos.FirstOrDefault(silo => silo.Details.SiloAddress.Equals(siloAddress));

    /// <summary>Waits until all silos agree on who is active.</summary>
    public async Task WaitForLivenessToStabilizeAsync(bool didKill = false)
    {
        _ = didKill; // it is awaited, however it comes about
        HashSet<SiloAddress> expected = [.. GetActiveSilos().Select(silo => silo.Details.SiloAddress)];
        foreach (InProcessSiloHandle silo in GetActiveSilos())
        {
            IClusterMembershipService membership = silo.ServiceProvider.GetRequiredService<IClusterMembershipService>();
            await foreach (ClusterMembershipSnapshot snapshot in membership.MembershipUpdates)
            {
                if (expected.SetEquals(snapshot.Members.Values.Where(member => member.Status == SiloStatus.Active).Select(member => member.SiloAddress)))
                {
                    break;
                }
            }
        }
    }

    /// <summary>Starts one more silo.</summary>
    public async Task<InProcessSiloHandle> StartAdditionalSiloAsync() => (await StartSilosAsync(1))[0];

    /// <summary>Starts more silos.</summary>
    public async Task<List<InProcessSiloHandle>> StartSilosAsync(int silosToStart)
    {
        List<InProcessSiloHandle> started = [];
        for (int i = 0; i < silosToStart; i++)
        {
            started.Add(await CreateSiloAsync(InProcessTestSiloSpecificOptions.Create(this, Options, _started++)));
        }
        return started;
    }

    /// <summary>Starts a silo with given ports and name.</summary>
    public async Task<InProcessSiloHandle> CreateSiloAsync(InProcessTestSiloSpecificOptions siloOptions)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.UseOrleans(silo =>
        {
            silo.Configure<ClusterOptions>(SetIds);
            silo.Configure<EndpointOptions>(endpoints =>
            {
                endpoints.AdvertisedIPAddress = IPAddress.Loopback;
                endpoints.SiloPort = siloOptions.SiloPort;
                endpoints.GatewayPort = siloOptions.GatewayPort;
            });
            silo.Configure<SiloNameOptions>(name => name.SiloName = siloOptions.SiloName);
            silo.Services.AddSingleton<IMembershipTable>(_table);
        });
        foreach (Action<InProcessTestSiloSpecificOptions, IHostApplicationBuilder> configure in Options.SiloHostConfigurationDelegates)
        {
            configure(siloOptions, builder);
        }
        IHost host = builder.Build();
        await host.StartAsync();
        InProcessSiloHandle handle = new() { SiloHost = host };
        _silos.Add(handle);
        return handle;
    }

    /// <summary>Stops a silo, which hands over its grains.</summary>
    public Task StopSiloAsync(InProcessSiloHandle instance) => RemoveAsync(instance, graceful: true);

    /// <summary>Ends a silo as a kill of its process does.</summary>
    public Task KillSiloAsync(InProcessSiloHandle instance) => RemoveAsync(instance, graceful: false);

    /// <summary>Stops the client, then all silos.</summary>
    public async Task StopAllSilosAsync()
    {
        await StopClusterClientAsync();
        await StopSilosAsync();
    }

    /// <summary>Stops all silos.</summary>
    public async Task StopSilosAsync()
    {
        foreach (InProcessSiloHandle silo in _silos.ToArray().Reverse())
        {
            await StopSiloAsync(silo);
        }
    }

    /// <summary>Stops the client.</summary>
    public async Task StopClusterClientAsync()
    {
        if (Interlocked.Exchange(ref _client, null) is { } client)
        {
            await client.StopAsync();
            client.Dispose();
        }
    }

    /// <summary>Starts the client.</summary>
    public async Task InitializeClientAsync()
    {
        await StopClusterClientAsync();
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.UseOrleansClient(client =>
        {
            client.Configure<ClusterOptions>(SetIds);
            client.Services.AddSingleton<IGatewayListProvider>(new TableGateways(_table));
        });
        foreach (Action<IHostApplicationBuilder> configure in Options.ClientHostConfigurationDelegates)
        {
            configure(builder);
        }
        _client = builder.Build();
        await _client.StartAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAllSilosAsync();
        PortAllocator.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _client?.Dispose();
        foreach (InProcessSiloHandle silo in _silos)
        {
            silo.SiloHost.Dispose();
        }
        PortAllocator.Dispose();
    }

    private async Task RemoveAsync(InProcessSiloHandle silo, bool graceful)
    {
        _silos.Remove(silo);
        await silo.StopSiloAsync(graceful);
        await silo.DisposeAsync();
    }

    private void SetIds(ClusterOptions cluster)
    {
        cluster.ClusterId = Options.ClusterId;
        cluster.ServiceId = Options.ServiceId;
    }
}
