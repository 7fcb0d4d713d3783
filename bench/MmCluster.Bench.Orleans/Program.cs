using System.Globalization;
using MmCluster.Bench.Orleans;

// `--calls [SECONDS]` times grain calls inside a process and between two.
switch (args.FirstOrDefault())
{
    case "--calls":
        await CallBench.RunAsync(TimeSpan.FromSeconds(args.Length > 1 ? double.Parse(args[1], CultureInfo.InvariantCulture) : 5));
        return 0;
    case "--silo":
        await BenchSilo.ServeAsync(args[1], args[2]);
        return 0;
    default:
        await Console.Error.WriteLineAsync("usage: --calls [SECONDS]");
        return 2;
}
