using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Hosting;

namespace MmCluster.Fuzz.Orleans;

/// <summary>The silo that is attacked, and a client of it.</summary>
internal static class FuzzSilo
{
    /// <summary>Serves until its input ends.</summary>
    public static async Task ServeAsync(int siloPort, int gatewayPort)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.UseOrleans(silo => silo.UseLocalhostClustering(siloPort, gatewayPort, serviceId: Attacks.Cluster, clusterId: Attacks.Cluster));
        using IHost host = builder.Build();
        await host.StartAsync();
        await Console.Out.WriteLineAsync("ready");
        await Console.In.ReadToEndAsync();
        await host.StopAsync();
    }

    public static async Task<Process> SpawnAsync(int siloPort, int gatewayPort)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(typeof(FuzzSilo).Assembly.Location);
        }
        start.ArgumentList.Add("--silo");
        start.ArgumentList.Add($"{siloPort}");
        start.ArgumentList.Add($"{gatewayPort}");
        Process process = Process.Start(start)!;
        return await process.StandardOutput.ReadLineAsync() is not null ? process : throw new InvalidOperationException("the silo process ended");
    }

    public static async Task<IHost> ConnectAsync(int gatewayPort)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddSingleton(TimeProvider.System);
        builder.UseOrleansClient(client => client.UseLocalhostClustering(gatewayPort, Attacks.Cluster, Attacks.Cluster));
        IHost host = builder.Build();
        await host.StartAsync();
        return host;
    }
}
