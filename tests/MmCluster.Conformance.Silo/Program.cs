using System.Globalization;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MmCluster.Cluster.LocalStorage;
using MmCluster.Conformance.Grains;
using Orleans.Configuration;
using Orleans.Placement;
using Orleans.Runtime.MembershipService.SiloMetadata;

// Usage: FOLDER CLUSTER SILO-PORT GATEWAY-PORT [ROLE]. Writes "ready ADDRESS" when it serves; stops when its input ends.
HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
builder.Logging.AddSimpleConsole(console => console.SingleLine = true).SetMinimumLevel(LogLevel.Warning);
builder.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
builder.UseOrleans(silo => TestSilo.Configure(
    silo, args[0], args[1], int.Parse(args[2], CultureInfo.InvariantCulture), int.Parse(args[3], CultureInfo.InvariantCulture), args.ElementAtOrDefault(4) ?? "node"));
using IHost host = builder.Build();
await host.StartAsync();
Console.WriteLine($"ready {host.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress.ToParsableString()}");
while (await Console.In.ReadLineAsync() is not null)
{
}
await host.StopAsync();

/// <summary>How silos of the tests are set up, in a process of their own or in the test's.</summary>
public static class TestSilo
{
    public static void Configure(ISiloBuilder silo, string folder, string cluster, int siloPort, int gatewayPort, string role)
    {
        silo.UseLocalFolderClustering(folder);
        silo.AddLocalFolderGrainStorage(folder);
        silo.Configure<ClusterOptions>(options => options.ClusterId = options.ServiceId = cluster);
        silo.Configure<EndpointOptions>(options =>
        {
            options.AdvertisedIPAddress = IPAddress.Loopback;
            options.SiloPort = siloPort;
            options.GatewayPort = gatewayPort;
        });
        silo.Configure<ClusterMembershipOptions>(options =>
        {
            options.ProbeTimeout = TimeSpan.FromSeconds(1);
            options.NumMissedProbesLimit = 3;
            options.NumVotesForDeathDeclaration = 1;
        });
        silo.UseSiloMetadata(new Dictionary<string, string> { ["mm.role"] = role });
        silo.AddPlacementDirector<HintPlacement, HintDirector>();
        silo.Services.AddPlacementFilter<CpuFilterStrategy, CpuFilterDirector>(ServiceLifetime.Singleton);
        silo.Services.AddPlacementFilter<RoleFilterStrategy, RoleFilterDirector>(ServiceLifetime.Transient);
        silo.Services.AddPlacementFilter<ForgetfulFilterStrategy, ForgetfulFilterDirector>(ServiceLifetime.Transient);
        silo.Services.AddPlacementFilter<NobodyFilterStrategy, NobodyFilterDirector>(ServiceLifetime.Singleton);
    }
}
