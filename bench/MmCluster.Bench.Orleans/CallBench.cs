using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Runtime.Placement;

namespace MmCluster.Bench.Orleans;

/// <summary>Grain calls a second and bytes allocated a call, inside a process and between two.</summary>
internal static class CallBench
{
    public static async Task RunAsync(TimeSpan duration)
    {
        string folder = Directory.CreateTempSubdirectory("bench-").FullName;
        try
        {
            using IHost host = await BenchSilo.StartAsync(folder, "bench");
            IGrainFactory grains = host.Services.GetRequiredService<IGrainFactory>();
            Console.WriteLine($"processors {Environment.ProcessorCount}, {duration.TotalSeconds:0} s a line, callers in flight behind the name");
            Console.WriteLine($"the message itself, an object a call: {SizeOfMessage(0)} B (ValueTask), {SizeOfMessage(1)} B (Task) "
                + $"and {SizeOf(static () => Task.FromResult(int.MaxValue))} B for each task: the caller's, and the one that the grain's method makes");
            foreach (int callers in new[] { 1, 16, 256 })
            {
                await MeasureAsync($"inside, ValueTask, from outside of grains, {callers}", Grains(grains, 0, 16), callers, duration, static (grain, i) => grain.Ping(i));
            }
            await MeasureAsync("inside, Task, from outside of grains, 256", Grains(grains, 0, 16), 256, duration, static (grain, i) => new ValueTask<int>(grain.PingTask(i)));
            await MeasureGrainsAsync("inside, ValueTask, from grain to grain, 16 pairs", grains, 16, duration);
            (Process other, SiloAddress address) = await BenchSilo.SpawnAsync(folder, "bench");
            IPingGrain[] remote = Grains(grains, 1000, 16);
            RequestContext.Set(IPlacementDirector.PlacementHintKey, address);
            foreach (IPingGrain grain in remote)
            {
                await grain.Ping(0);
            }
            RequestContext.Clear();
            foreach (int callers in new[] { 1, 16, 256 })
            {
                await MeasureAsync($"between two processes, ValueTask, {callers}", remote, callers, duration, static (grain, i) => grain.Ping(i));
            }
            other.StandardInput.Close();
            await other.WaitForExitAsync();
            await host.StopAsync();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // The stand-in's generated request of a method; 0 on the packages, whose names are others.
    private static long SizeOfMessage(int method) =>
        typeof(CallBench).Assembly.GetType($"OrleansGenerated.Call_MmCluster_Bench_Orleans_IPingGrain_{method}") is { } type ? SizeOf(() => Activator.CreateInstance(type)!) : 0;

    private static long SizeOf(Func<object> make)
    {
        _ = make();
        long before = GC.GetAllocatedBytesForCurrentThread();
        object made = make();
        long size = GC.GetAllocatedBytesForCurrentThread() - before;
        GC.KeepAlive(made);
        return size;
    }

    private static IPingGrain[] Grains(IGrainFactory grains, int first, int count) =>
        [.. Enumerable.Range(first, count).Select(key => grains.GetGrain<IPingGrain>(key))];

    private static async Task MeasureAsync(string name, IPingGrain[] grains, int callers, TimeSpan duration, Func<IPingGrain, int, ValueTask<int>> call)
    {
        await RunCallersAsync(grains, callers, TimeSpan.FromSeconds(1), call);
        long before = GC.GetTotalAllocatedBytes(precise: true);
        TimeSpan cpu = Environment.CpuUsage.TotalTime;
        Stopwatch since = Stopwatch.StartNew();
        long calls = await RunCallersAsync(grains, callers, duration, call);
        Report(name, calls, since.Elapsed, GC.GetTotalAllocatedBytes(precise: true) - before, Environment.CpuUsage.TotalTime - cpu);
    }

    private static async Task MeasureGrainsAsync(string name, IGrainFactory grains, int pairs, TimeSpan duration)
    {
        int seconds = (int)duration.TotalSeconds;
        Task<long>[] Start(int time) => [.. Enumerable.Range(0, pairs).Select(i => grains.GetGrain<IPingGrain>(100 + i).CallOther(200 + i, time))];
        await Task.WhenAll(Start(1));
        long before = GC.GetTotalAllocatedBytes(precise: true);
        TimeSpan cpu = Environment.CpuUsage.TotalTime;
        Stopwatch since = Stopwatch.StartNew();
        long[] calls = await Task.WhenAll(Start(seconds));
        Report(name, calls.Sum(), since.Elapsed, GC.GetTotalAllocatedBytes(precise: true) - before, Environment.CpuUsage.TotalTime - cpu);
    }

    private static async Task<long> RunCallersAsync(IPingGrain[] grains, int callers, TimeSpan duration, Func<IPingGrain, int, ValueTask<int>> call)
    {
        long total = 0;
        long end = Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        await Task.WhenAll(Enumerable.Range(0, callers).Select(caller => Task.Run(async () =>
        {
            IPingGrain grain = grains[caller % grains.Length];
            long count = 0;
            while (Stopwatch.GetTimestamp() < end)
            {
                int sent = (int)count;
                if (await call(grain, sent) != sent)
                {
                    throw new InvalidOperationException("a wrong answer came back");
                }
                count++;
            }
            Interlocked.Add(ref total, count);
        })));
        return total;
    }

    // The processor time of this process tells more than the clock where others use the machine too.
    private static void Report(string name, long calls, TimeSpan taken, long bytes, TimeSpan cpu) =>
        Console.WriteLine($"{name,-52} {calls / taken.TotalSeconds,12:N0} calls/s {(double)bytes / calls,8:N0} B/call {cpu.TotalMicroseconds / calls,8:N2} us of processor/call");
}
