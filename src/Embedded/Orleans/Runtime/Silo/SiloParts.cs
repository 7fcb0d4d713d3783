using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Runtime.Catalog;
using Orleans.Runtime.Directory;
using Orleans.Runtime.Membership;
using Orleans.Runtime.Net;
using Orleans.Runtime.Placement;

namespace Orleans.Runtime.Silo;

/// <summary>All parts of a silo, made and joined in one place.</summary>
internal sealed class SiloParts
{
    public SiloParts(IServiceProvider provider, ILocalSiloDetails local)
    {
        ILogger logger = provider.GetRequiredService<ILoggerFactory>().CreateLogger("Orleans");
        TimeProvider time = provider.GetService<TimeProvider>() ?? TimeProvider.System;
        SchedulingOptions scheduling = Options<SchedulingOptions>(provider);
        EndpointOptions endpoints = Options<EndpointOptions>(provider);
        MembershipOptions = Options<ClusterMembershipOptions>(provider);
        Services = new SiloServices
        {
            Provider = provider,
            Logger = logger,
            Time = time,
            TurnOptions = new TurnOptions(time, scheduling.ActivationSchedulingQuantum, scheduling.TurnWarningLengthThreshold),
            MessagingOptions = Options<SiloMessagingOptions>(provider),
            CollectionOptions = Options<GrainCollectionOptions>(provider),
            GrainTypes = provider.GetRequiredService<GrainTypes>(),
            Self = local.SiloAddress,
        };
        IMembershipTable table = provider.GetService<IMembershipTable>()
            ?? throw new InvalidOperationException("No IMembershipTable is registered: choose a clustering provider.");
        Membership = new MembershipManager(table, new MembershipEntry
        {
            SiloAddress = local.SiloAddress,
            Status = SiloStatus.Created,
            HostName = local.DnsHostName,
            SiloName = local.Name,
            ProxyPort = endpoints.GatewayPort,
        }, MembershipOptions, time, logger);
        Runtime = new SiloRuntime(Services);
        Services.Runtime = Runtime;
        Services.GrainFactory = new ClusterClientCore(Runtime, provider);
        Services.Catalog = new ActivationCatalog(Services);
        Services.Directory = new GrainLocator(Services, Membership);
        Infos = new SiloInfoCache(Services, Membership, new SiloInfo
        {
            GrainTypes = [.. Services.GrainTypes.All.Select(grain => grain.Type.ToString())],
            Metadata = provider.GetRequiredService<IOptions<OwnMetadata>>().Value.Values,
        });
        Network = new SiloNetwork(Options<ClusterOptions>(provider), endpoints, Services.MessagingOptions, local.SiloAddress, Runtime, time, logger);
        ClientLocator clients = new(Services, Membership);
        Runtime.Network = Network;
        Runtime.Clients = clients;
        SystemServices system = new(logger);
        Services.Router = new RequestRouter(Services, Network, system, new PlacementService(Services, Membership, Infos), clients);
        Monitor = new SiloMonitor(Membership, silo => Runtime.References.Service<IMembershipPeer>(silo), MembershipOptions, time, logger);
        Network.SiloLost = silo =>
        {
            Runtime.OnSiloLost(silo, "its connection has broken.");
            Monitor.Hurry(silo);
        };
        Loads = provider.GetRequiredService<LoadTable>();
        system.Add<IDirectoryService>(Services.Directory);
        system.Add<IMembershipPeer>(new SiloPeer(Services, Membership, Network, Infos));
    }

    public SiloServices Services { get; }

    public SiloRuntime Runtime { get; }

    public MembershipManager Membership { get; }

    public SiloMonitor Monitor { get; }

    public SiloNetwork Network { get; }

    public SiloInfoCache Infos { get; }

    public LoadTable Loads { get; }

    public ClusterMembershipOptions MembershipOptions { get; }

    private static T Options<T>(IServiceProvider provider)
        where T : class => provider.GetRequiredService<IOptions<T>>().Value;
}

/// <summary>What the silo says about itself.</summary>
internal sealed class OwnMetadata
{
    public Dictionary<string, string> Values { get; } = [];
}
