using System.Net;
using Microsoft.Extensions.Options;
using Orleans.Configuration;

namespace Orleans.Runtime.Silo;

/// <summary>Who this silo is, fixed when the host is built.</summary>
internal sealed class LocalSilo : ILocalSiloDetails
{
    public LocalSilo(IOptions<EndpointOptions> endpoints, IOptions<ClusterOptions> cluster, IOptions<SiloNameOptions> name)
    {
        EndpointOptions options = endpoints.Value;
        int generation = SiloAddress.AllocateNewGeneration();
        SiloAddress = SiloAddress.New(options.AdvertisedIPAddress, options.SiloPort, generation);
        GatewayAddress = options.GatewayPort == 0 ? null : SiloAddress.New(options.AdvertisedIPAddress, options.GatewayPort, generation);
        ClusterId = cluster.Value.ClusterId;
        Name = name.Value.SiloName ?? $"Silo_{options.SiloPort}_{generation % 100000:D5}";
    }

    public string Name { get; }

    public string ClusterId { get; }

    public string DnsHostName { get; } = Dns.GetHostName();

    public SiloAddress SiloAddress { get; }

    public SiloAddress? GatewayAddress { get; }
}

/// <summary>The silo's name, where a test cluster gives one.</summary>
internal sealed class SiloNameOptions
{
    public string? SiloName { get; set; }
}
