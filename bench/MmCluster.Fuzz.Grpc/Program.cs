using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MmCluster.Bench.Grpc;
using MmCluster.Fuzz.Grpc;

// Attacks a server in another process while good calls must keep succeeding; idle connections stay open meanwhile.
//   MmCluster.Fuzz.Grpc [--seconds 600] [--seed 1] [--idle 10000] [--growth-mib 256]
// Exits with 1 when the server died, a good call failed, or its memory grew beyond the bound.
if (args is ["serve"])
{
    await ServeAsync();
    return 0;
}

int seconds = Option("--seconds", 600);
int seed = Option("--seed", 1);
int idle = Option("--idle", 10_000);
long growth = Option("--growth-mib", 256) * 1024L * 1024;
var problems = new List<string>();
var counts = new SortedDictionary<string, int>(StringComparer.Ordinal);
var random = new Random(seed);

using Process server = Process.Start(
    new ProcessStartInfo(Environment.ProcessPath!, Environment.ProcessPath!.EndsWith("dotnet", StringComparison.Ordinal) ? [Environment.GetCommandLineArgs()[0], "serve"] : ["serve"])
    {
        RedirectStandardOutput = true,
    })!;
var idlers = new List<Socket>();
try
{
    var address = new Uri((await server.StandardOutput.ReadLineAsync())!);
    using GrpcChannel channel = GrpcChannel.ForAddress(address);
    var client = new Bench.BenchClient(channel);
    await GoodCallAsync(client);
    for (int i = 0; i < idle; i++)
    {
        // Half of them say nothing at all, half open HTTP/2 and then fall silent.
        RawHttp2 connection = await RawHttp2.ConnectAsync(address.Port, preface: i % 2 == 0);
        idlers.Add(connection.Socket);
    }
    await GoodCallAsync(client);
    long before = Memory();
    long most = before;
    var watch = Stopwatch.StartNew();
    for (int round = 0; watch.Elapsed.TotalSeconds < seconds && !server.HasExited; round++)
    {
        (string name, Func<int, Random, Task> run) = Attacks.All[round % Attacks.All.Length];
        int parallel = random.Next(1, 5);
        await Task.WhenAll(Enumerable.Range(0, parallel).Select(_ => AttackAsync(run, address.Port, random.Next())));
        counts[name] = counts.GetValueOrDefault(name) + parallel;
        await GoodCallAsync(client);
        most = Math.Max(most, Memory());
    }
    if (server.HasExited)
    {
        problems.Add($"the server ended with code {server.ExitCode}");
    }
    if (most - before > growth)
    {
        problems.Add($"memory grew from {before >> 20} to {most >> 20} MiB");
    }
    Console.WriteLine(JsonSerializer.Serialize(new
    {
        fuzz = "grpc",
        seed,
        seconds = Math.Round(watch.Elapsed.TotalSeconds, 1),
        idle,
        memoryBeforeMib = before >> 20,
        memoryMostMib = most >> 20,
        attacks = counts,
        problems,
    }));
}
finally
{
    idlers.ForEach(socket => socket.Dispose());
    if (!server.HasExited)
    {
        server.Kill();
    }
    await server.WaitForExitAsync();
}
return problems.Count == 0 ? 0 : 1;

async Task AttackAsync(Func<int, Random, Task> run, int port, int attackSeed)
{
    try
    {
        await run(port, new Random(attackSeed));
    }
    catch (SocketException)
    {
        // The server closed the connection while we were still sending: as it should.
    }
}

async Task GoodCallAsync(Bench.BenchClient client)
{
    using var late = new CancellationTokenSource(TimeSpan.FromSeconds(30));
    try
    {
        var item = new Item { Number = 7, Data = ByteString.CopyFrom(1, 2, 3) };
        if (!(await client.UnaryAsync(item, cancellationToken: late.Token)).Equals(item))
        {
            problems.Add("a good call got a wrong answer");
        }
    }
    catch (RpcException error) when (problems.Count < 100)
    {
        problems.Add($"a good call failed: {error.Status}");
    }
}

long Memory()
{
    if (server.HasExited)
    {
        return 0;
    }
    server.Refresh();
    return server.WorkingSet64;
}

int Option(string name, int standard)
{
    int at = Array.IndexOf(args, name);
    return at < 0 ? standard : int.Parse(args[at + 1], CultureInfo.InvariantCulture);
}

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
    Console.WriteLine(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
    await app.WaitForShutdownAsync();
}
