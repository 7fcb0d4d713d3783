using System.Globalization;
using MmCluster.Bench.Engine;

// MmCluster.Bench.Engine scheduler [sequences]...   the scheduler's own time a step (default 256 4096)
// MmCluster.Bench.Engine batching FOLDER [dtype] [threads] [GFLOP a token]   16 requests side by side against one after another; a shared prefix's second TTFT
switch (args.FirstOrDefault())
{
    case "scheduler":
        int[] sizes = args.Length > 1 ? [.. args.Skip(1).Select(size => int.Parse(size, CultureInfo.InvariantCulture))] : [256, 4096];
        SchedulerBenchmark.WarmUp();
        foreach (int sequences in sizes)
        {
            SchedulerBenchmark.Measure(sequences, churn: false);
            SchedulerBenchmark.Measure(sequences, churn: true);
        }
        return 0;
    case "batching" when args.Length > 1:
        await BatchingBenchmark.RunAsync(
            args[1],
            args.ElementAtOrDefault(2) ?? "bf16",
            int.Parse(args.ElementAtOrDefault(3) ?? "2", CultureInfo.InvariantCulture),
            double.Parse(args.ElementAtOrDefault(4) ?? "2.2", CultureInfo.InvariantCulture));
        return 0;
    default:
        Console.Error.WriteLine("usage: MmCluster.Bench.Engine scheduler [sequences]... | batching FOLDER [dtype] [threads] [GFLOP a token]");
        return 2;
}
