using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MmCluster.Cluster.LocalStorage;
using Orleans.Configuration;

namespace MmCluster.Bench.Orleans;

/// <summary>Silos for the benchmarks, here and in a process of their own.</summary>
internal static class BenchSilo
{
    public static async Task<IHost> StartAsync(string folder, string cluster)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.UseOrleans(silo =>
        {
            silo.UseLocalFolderClustering(folder);
            silo.Configure<ClusterOptions>(options => options.ClusterId = options.ServiceId = cluster);
            silo.Configure<EndpointOptions>(options =>
            {
                options.AdvertisedIPAddress = IPAddress.Loopback;
                options.SiloPort = FreePort();
                options.GatewayPort = FreePort();
            });
        });
        IHost host = builder.Build();
        await host.StartAsync();
        return host;
    }

    /// <summary>A silo that serves until its input ends.</summary>
    public static async Task ServeAsync(string folder, string cluster)
    {
        using IHost host = await StartAsync(folder, cluster);
        await Console.Out.WriteLineAsync(host.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress.ToParsableString());
        await Console.In.ReadToEndAsync();
        await host.StopAsync();
    }

    public static async Task<(Process Process, SiloAddress Address)> SpawnAsync(string folder, string cluster)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(typeof(BenchSilo).Assembly.Location);
        }
        start.ArgumentList.Add("--silo");
        start.ArgumentList.Add(folder);
        start.ArgumentList.Add(cluster);
        Process process = Process.Start(start)!;
        string line = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("the silo process ended");
        return (process, SiloAddress.FromParsableString(line));
    }

    private static int FreePort()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}

/// <summary>The grain that is called.</summary>
public interface IPingGrain : IGrainWithIntegerKey
{
    ValueTask<int> Ping(int value);

    Task<int> PingTask(int value);

    /// <summary>Calls the grain <paramref name="other"/> again and again; returns how often.</summary>
    Task<long> CallOther(long other, int seconds);
}

/// <inheritdoc cref="IPingGrain"/>
public sealed class PingGrain : Grain, IPingGrain
{
    public ValueTask<int> Ping(int value) => new(value);

    public Task<int> PingTask(int value) => Task.FromResult(value);

    public async Task<long> CallOther(long other, int seconds)
    {
        IPingGrain grain = GrainFactory.GetGrain<IPingGrain>(other);
        Stopwatch since = Stopwatch.StartNew();
        long count = 0;
        while (since.Elapsed.TotalSeconds < seconds)
        {
            for (int i = 0; i < 100; i++)
            {
                await grain.Ping(i);
            }
            count += 100;
        }
        return count;
    }
}
