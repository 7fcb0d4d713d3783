using Microsoft.Extensions.Hosting;

namespace Orleans.TestingHost;

/// <summary>What a test cluster is made of.</summary>
public sealed class InProcessTestClusterOptions
{
    /// <summary>One silo and a client.</summary>
    public InProcessTestClusterOptions()
    {
    }

    /// <summary>The cluster's id.</summary>
    public string ClusterId { get; set; } = InProcessTestClusterBuilder.CreateClusterId();

    /// <summary>The service's id.</summary>
    public string ServiceId { get; set; } = Guid.NewGuid().ToString("N");

    /// <summary>Whether a client is started with the cluster; yes.</summary>
    public bool InitializeClientOnDeploy { get; set; } = true;

    /// <summary>How many silos there are at first.</summary>
    public short InitialSilosCount { get; set; } = 1;

    /// <summary>Whether every silo has a gateway, or only the first; yes.</summary>
    public bool GatewayPerSilo { get; set; } = true;

    /// <summary>Configures the hosts of silos.</summary>
    public List<Action<InProcessTestSiloSpecificOptions, IHostApplicationBuilder>> SiloHostConfigurationDelegates { get; } = [];

    /// <summary>Configures the host of the client.</summary>
    public List<Action<IHostApplicationBuilder>> ClientHostConfigurationDelegates { get; } = [];
}

/// <summary>Ports and name of one silo of a test cluster.</summary>
public sealed class InProcessTestSiloSpecificOptions
{
    /// <summary>Options to fill.</summary>
    public InProcessTestSiloSpecificOptions()
    {
    }

    /// <summary>The port for silos.</summary>
    public int SiloPort { get; set; }

    /// <summary>The port for clients; 0 for none.</summary>
    public int GatewayPort { get; set; }

    /// <summary>The silo's name.</summary>
    public string SiloName { get; set; } = "";

    /// <summary>The options of the silo <paramref name="instanceNumber"/>, on free ports.</summary>
    public static InProcessTestSiloSpecificOptions Create(
        InProcessTestCluster testCluster, InProcessTestClusterOptions testClusterOptions, int instanceNumber, bool assignNewPort = false)
    {
        _ = assignNewPort; // every silo gets new ports
        (int silo, int gateway) = testCluster.PortAllocator.AllocateConsecutivePortPairs(1);
        return new InProcessTestSiloSpecificOptions
        {
            SiloPort = silo,
            GatewayPort = instanceNumber == 0 || testClusterOptions.GatewayPerSilo ? gateway : 0,
            SiloName = instanceNumber == 0 ? "Primary" : $"Secondary_{instanceNumber}",
        };
    }
}

/// <summary>Gives out free ports.</summary>
public interface ITestClusterPortAllocator : IDisposable
{
    /// <summary>The first of <paramref name="numPorts"/> free consecutive ports for silos, and the first of as many for gateways.</summary>
    (int, int) AllocateConsecutivePortPairs(int numPorts);
}
