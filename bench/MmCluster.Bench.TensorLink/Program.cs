// Times tensors that go from one process to another on this machine: the producer writes each into its slab (or hands it to TCP), the consumer
// pulls it and reads every byte. usage: MmCluster.Bench.TensorLink [--tcp] [--rounds N]; prints a JSON line a size, medians over the rounds.
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using MmCluster.Cluster.TensorLink;
using MmCluster.Tensors;

bool tcp = args.Contains("--tcp");
int at = Array.IndexOf(args, "--rounds");
int rounds = at < 0 ? 50 : int.Parse(args[at + 1]);
var options = new TensorLinkOptions { ClusterSecret = "bench", ShareMemory = !tcp };
await using var endpoint = new TensorLinkEndpoint(options, TimeProvider.System);
if (args.Contains("--produce"))
{
    await ProduceAsync();
    return;
}

using Process producer = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [.. ProgramPath(), .. args, "--produce"])
{
    RedirectStandardInput = true,
    RedirectStandardOutput = true,
})!;
foreach (int bytes in (int[])[64 << 10, 4_718_592, 64 << 20])
{
    var total = new List<double>();
    var pull = new List<double>();
    for (int round = -3; round < rounds; round++)
    {
        long start = Stopwatch.GetTimestamp();
        await producer.StandardInput.WriteLineAsync($"{bytes}");
        TensorRef reference = Parse((await producer.StandardOutput.ReadLineAsync())!);
        long published = Stopwatch.GetTimestamp();
        using (PulledTensor tensor = await endpoint.PullAsync(reference, CancellationToken.None))
        {
            Touch(tensor.Tensor);
        }
        if (round >= 0)
        {
            total.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            pull.Add(Stopwatch.GetElapsedTime(published).TotalMilliseconds);
        }
    }
    Console.WriteLine(JsonSerializer.Serialize(new
    {
        transport = tcp ? "tcp" : "shared memory",
        bytes,
        publish_pull_read_p50_ms = Math.Round(Median(total), 3),
        pull_read_p50_ms = Math.Round(Median(pull), 3),
        GBps = Math.Round(bytes / Median(total) / 1e6, 2),
        pull_GBps = Math.Round(bytes / Median(pull) / 1e6, 2),
    }));
}
producer.StandardInput.Close();
await producer.WaitForExitAsync();

async Task ProduceAsync()
{
    long count = 0;
    Tensor? source = null;
    while (await Console.In.ReadLineAsync() is { } line)
    {
        int bytes = int.Parse(line);
        if (source?.Bytes != bytes)
        {
            source?.Dispose();
            source = Tensor.Ones([bytes], DType.U8);
        }
        endpoint.Release($"{count++}");
        TensorRef reference = endpoint.Publish($"{count}", source);
        LinkAddress owner = reference.Owner;
        Console.WriteLine($"{owner.Port} {owner.Incarnation} {reference.Id} {bytes} {JsonSerializer.Serialize(owner.UnixPath)}");
    }
}

TensorRef Parse(string line)
{
    string[] parts = line.Split(' ', 5);
    var owner = new LinkAddress(
        endpoint.Address.Machine, JsonSerializer.Deserialize<string>(parts[4])!, options.Host, int.Parse(parts[0]), Guid.Parse(parts[1]));
    int bytes = int.Parse(parts[3]);
    return new TensorRef(owner, long.Parse(parts[2]), DType.U8, [bytes], bytes, 0);
}

static long Touch(Tensor tensor)
{
    long sum = 0;
    foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(tensor.AsReadOnlySpan<byte>()))
    {
        sum += (long)word;
    }
    return sum;
}

static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

static string[] ProgramPath() => Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? [Environment.GetCommandLineArgs()[0]] : [];
