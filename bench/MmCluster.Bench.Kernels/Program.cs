using System.Diagnostics;
using System.Globalization;
using MmCluster.Bench.Kernels;
using MmCluster.Tensors;

// Products of a 1.1B LLaMA's shapes: for each weight format and number of rows the best and the median pass over two layers and the head,
// against the machine's multiply-adds and reads measured between the passes.
// dotnet run -c Release --project bench/MmCluster.Bench.Kernels -- [--threads 2] [--dtypes bf16,q8_0] [--rows 1,8,256] [--rounds 9] [--shapes] [--only o] [--other] [--pack]
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
string Option(string name, string value)
{
    int at = Array.IndexOf(args, name);
    return at >= 0 && at + 1 < args.Length ? args[at + 1] : value;
}

int threads = int.Parse(Option("--threads", "2"));
double work = double.Parse(Option("--work", "2")); // GFLOP a sample
int rounds = int.Parse(Option("--rounds", "9"));
int[] rows = [.. Option("--rows", "1,2,4,8,16,32,64,256").Split(',').Select(int.Parse)];
string[] dtypes = Option("--dtypes", "bf16,f32,q8_0,q4_0").Split(',');
Device.Cpu.Threads = threads;
using var limits = new Limits(threads);
for (int i = 0; i < 20; i++)
{
    limits.Peak();
    limits.Read();
}

Console.WriteLine($"threads {threads}, peak {limits.Peak():f0} GFLOP/s, read {limits.Read():f1} GB/s, region {limits.Region():f0} ns");
if (args.Contains("--pack"))
{
    PackWork.Run(rounds);
    return;
}

if (args.Contains("--other"))
{
    OtherWork.Run(rounds);
    return;
}

(string Name, int Outputs, int Inputs)[] shapes =
    [("qkv", 2560, 2048), ("o", 2048, 2048), ("gate_up", 11264, 2048), ("down", 2048, 5632), ("head", 32000, 2048)];
foreach (string dtype in dtypes)
{
    DType format = Enum.Parse<DType>(dtype, ignoreCase: true);
    using var scope = new TensorScope();
    LinearWeight[] weights = [.. shapes.Concat(shapes[..4]).Select(s => RandomWeight.Pack(s.Outputs, s.Inputs, format))];
    if (Option("--only", "") is { Length: > 0 } only)
    {
        foreach (int m in rows)
        {
            Measure($"{dtype} {only} M={m}", m, [weights[Array.FindIndex(shapes, s => s.Name == only)]]);
        }

        continue;
    }

    foreach (int m in rows)
    {
        Measure($"{dtype} M={m}", m, weights[..4].Concat(weights[5..]).ToArray());
        if (args.Contains("--shapes"))
        {
            for (int i = 0; i < shapes.Length; i++)
            {
                Measure($"   {shapes[i].Name}", m, [weights[i]]);
            }
        }
        else if (m == 1)
        {
            Measure("   head", m, [weights[4]]);
        }
    }

    foreach (LinearWeight weight in weights)
    {
        weight.Dispose();
    }
}

void Measure(string name, int m, LinearWeight[] weights)
{
    double flops = weights.Sum(w => 2.0 * m * w.Inputs * w.Outputs);
    double bytes = weights.Sum(w => (double)w.Bytes);
    var inputs = weights.Select(w => RandomWeight.Rows(m, w.Inputs)).ToArray();
    var outputs = weights.Select(w => Tensor.Empty([m, w.Outputs])).ToArray();
    var samples = new List<(double Seconds, double Peak, double Read)>();
    int inner = Math.Max(1, (int)(work * 1e9 / Math.Max(flops, bytes * 4)));
    for (int r = 0; r < rounds + 2; r++)
    {
        double peak = limits.Peak();
        double read = limits.Read();
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < inner; i++)
        {
            using var scope = new TensorScope(recycle: true);
            for (int w = 0; w < weights.Length; w++)
            {
                inputs[w].Linear(weights[w], output: outputs[w]);
            }
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds / inner;
        if (r >= 2)
        {
            samples.Add((seconds, Math.Max(peak, limits.Peak()), Math.Max(read, limits.Read())));
        }
    }

    double best = samples.Min(s => s.Seconds);
    double median = samples.Select(s => s.Seconds).Order().ElementAt(samples.Count / 2);
    double bestOfPeak = flops / best / 1e9 / samples.Max(s => s.Peak);
    double ofPeak = samples.Select(s => flops / s.Seconds / 1e9 / s.Peak).Order().ElementAt(samples.Count / 2);
    double ofRead = samples.Select(s => bytes / s.Seconds / 1e9 / s.Read).Order().ElementAt(samples.Count / 2);
    Console.WriteLine(
        $"{name,-14} best {flops / best / 1e9,6:f0} median {flops / median / 1e9,6:f0} GFLOP/s {ofPeak,5:p0} of peak (best of best {bestOfPeak:p0}) | best {bytes / best / 1e9,5:f1}"
        + $" median {bytes / median / 1e9,5:f1} GB/s {ofRead,5:p0} of read");
}
