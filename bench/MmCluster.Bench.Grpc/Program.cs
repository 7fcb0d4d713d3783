using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MmCluster.Bench.Grpc;

// Calls and messages a second between two processes on loopback:
//   MmCluster.Bench.Grpc [--rounds 5] [--seconds 3] [--concurrency 64] [--size 32]
// The last line is one JSON object: medians, every round's figure, and the CPU time of both processes an operation,
// which other work on the machine disturbs less.
if (args is ["serve"])
{
    await ServeAsync();
    return 0;
}

int rounds = Option("--rounds", 5);
int seconds = Option("--seconds", 3);
int concurrency = Option("--concurrency", 64);
int size = Option("--size", 32);

using Process server = Process.Start(
    new ProcessStartInfo(Environment.ProcessPath!, Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal) ? [Environment.GetCommandLineArgs()[0], "serve"] : ["serve"])
    {
        RedirectStandardOutput = true,
        RedirectStandardInput = true,
    })!;
try
{
    using GrpcChannel channel = GrpcChannel.ForAddress((await server.StandardOutput.ReadLineAsync())!);
    var client = new Bench.BenchClient(channel);
    (string Name, Func<Task<double>> Run)[] benches = [("unary", UnaryAsync), ("serverStream", DownAsync), ("duplex", BothAsync)];
    var figures = benches.ToDictionary(bench => bench.Name, _ => new List<double>());
    var cpu = benches.ToDictionary(bench => bench.Name, _ => new List<double>());
    long operations = 0;
    for (int round = 0; round <= rounds; round++)
    {
        foreach ((string name, Func<Task<double>> run) in benches)
        {
            TimeSpan before = CpuTime();
            double figure = await run();
            double microseconds = (CpuTime() - before).TotalMicroseconds / operations;
            if (round > 0) // the first warms up
            {
                figures[name].Add(Math.Round(figure));
                cpu[name].Add(Math.Round(microseconds, 2));
            }
            await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"round {round} {name} {figure:0}/s, {microseconds:0.00} us of CPU each"));
        }
    }
    Console.WriteLine(JsonSerializer.Serialize(new
    {
        bench = "grpc",
        processors = Environment.ProcessorCount,
        concurrency,
        size,
        seconds,
        unaryCallsPerSecond = Median(figures["unary"]),
        serverStreamMessagesPerSecond = Median(figures["serverStream"]),
        duplexMessagesPerSecond = Median(figures["duplex"]),
        cpuMicroseconds = cpu.ToDictionary(each => each.Key, each => Median(each.Value)),
        rounds = figures,
    }));

    TimeSpan CpuTime()
    {
        server.Refresh();
        return server.TotalProcessorTime + Environment.CpuUsage.TotalTime;
    }

    async Task<double> UnaryAsync()
    {
        var item = new Item { Data = ByteString.CopyFrom(new byte[size]) };
        long calls = 0;
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, concurrency).Select(async _ =>
        {
            while (watch.Elapsed.TotalSeconds < seconds)
            {
                await client.UnaryAsync(item);
                Interlocked.Increment(ref calls);
            }
        }));
        operations = calls;
        return calls / watch.Elapsed.TotalSeconds;
    }

    async Task<double> DownAsync()
    {
        var watch = Stopwatch.StartNew();
        long got = 0;
        while (watch.Elapsed.TotalSeconds < seconds)
        {
            using AsyncServerStreamingCall<Item> call = client.Down(new Wanted { Count = 100_000, Size = size });
            while (await call.ResponseStream.MoveNext(CancellationToken.None))
            {
                got++;
            }
        }
        operations = got;
        return got / watch.Elapsed.TotalSeconds;
    }

    async Task<double> BothAsync()
    {
        var watch = Stopwatch.StartNew();
        long got = 0;
        using AsyncDuplexStreamingCall<Item, Item> call = client.Both();
        Task writing = WriteAsync();
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            got++;
        }
        await writing;
        operations = got;
        return got / watch.Elapsed.TotalSeconds;

        async Task WriteAsync()
        {
            ByteString data = ByteString.CopyFrom(new byte[size]);
            for (int i = 0; watch.Elapsed.TotalSeconds < seconds; i++)
            {
                await call.RequestStream.WriteAsync(new Item { Number = i, Data = data });
            }
            await call.RequestStream.CompleteAsync();
        }
    }
}
finally
{
    server.Kill();
    await server.WaitForExitAsync();
}
return 0;

int Option(string name, int standard)
{
    int at = Array.IndexOf(args, name);
    return at < 0 ? standard : int.Parse(args[at + 1], CultureInfo.InvariantCulture);
}

static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

static async Task ServeAsync()
{
    WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
    builder.Logging.ClearProviders();
    builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, endpoint => endpoint.Protocols = HttpProtocols.Http2));
    builder.Services.AddGrpc();
    builder.Services.AddSingleton<BenchService>();
    await using WebApplication app = builder.Build();
    app.MapGrpcService<BenchService>();
    await app.StartAsync();
    Console.WriteLine(app.Services.GetRequiredService<Microsoft.AspNetCore.Hosting.Server.IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
    await app.WaitForShutdownAsync();
}
