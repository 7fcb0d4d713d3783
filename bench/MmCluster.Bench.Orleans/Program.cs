using System.Globalization;
using MmCluster.Bench.Orleans;

// bench: `--calls [SECONDS]` times grain calls inside a process and between two; `fuzz --minutes M` attacks a silo's ports.
switch (args.FirstOrDefault())
{
    case "--calls":
        await CallBench.RunAsync(TimeSpan.FromSeconds(args.Length > 1 ? double.Parse(args[1], CultureInfo.InvariantCulture) : 5));
        return 0;
    case "fuzz":
        return await FuzzBench.RunAsync(TimeSpan.FromMinutes(double.Parse(args[^1], CultureInfo.InvariantCulture)));
    case "--silo":
        await BenchSilo.ServeAsync(args[1], args[2], int.Parse(args[3], CultureInfo.InvariantCulture), int.Parse(args[4], CultureInfo.InvariantCulture));
        return 0;
    default:
        await Console.Error.WriteLineAsync("usage: --calls [SECONDS] | fuzz --minutes MINUTES");
        return 2;
}
