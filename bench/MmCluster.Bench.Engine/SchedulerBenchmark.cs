using System.Runtime.InteropServices;
using MmCluster.Engine;
using MmCluster.Engine.Simulation;

namespace MmCluster.Bench.Engine;

/// <summary>
/// The scheduler's own time a step: a step of the engine without the executor's part, as CPU time of its thread, so that a busy machine does not
/// count.
/// </summary>
internal static class SchedulerBenchmark
{
    private const int Warmup = 1500; // until the JIT has compiled the loop for the last time, in the background
    private const int Steps = 2000;

    /// <summary>Blocks so short that sequences give way and cached blocks are evicted: what is compiled when it first runs lies behind the measured steps.</summary>
    public static void WarmUp() => Run(16, churn: true, blocks: 16 * 20);

    public static void Measure(int sequences, bool churn)
    {
        (double[] times, int[] collections, long allocated) = Run(sequences, churn, sequences * 240);
        double[] sorted = [.. times.Order()];
        int worst = Array.IndexOf(times, sorted[^1]);
        Console.WriteLine(FormattableString.Invariant(
            $"{sequences} sequences, {(churn ? "churn" : "steady")}: scheduler median {sorted[Steps / 2]:F1} us, p99 {sorted[Steps * 99 / 100]:F1} us, max {sorted[^1]:F1} us ({sorted[^1] / sorted[Steps / 2]:F1}x, step {worst}, {collections[worst]} collections in it, {collections.Sum()} in all); {(double)allocated / Steps:F1} bytes a step"));
    }

    private static (double[] Times, int[] Collections, long Allocated) Run(int sequences, bool churn, int blocks)
    {
        SimulationProfile profile = new()
        {
            MaxSlots = sequences,
            MaxModelLength = 4096,
            BlockCount = blocks,
            MaxBatchedTokens = Math.Max(8192, 2 * sequences),
        };
        using TimedExecutor executor = new(new SimulatedExecutor(profile, new VirtualTime()));
        EngineOptions options = new() { MaxNumSeqs = sequences, MaxNumBatchedTokens = profile.MaxBatchedTokens, MaxQueue = int.MaxValue };
        EngineCore core = new(executor, options, TimeProvider.System);
        StepOutputs outputs = new();
        Random random = new(1);
        int next = 0;
        // With churn an output ends after about 256 tokens and another request takes its place.
        int Output() => churn ? random.Next(128, 384) : Warmup + Steps + 64;
        void Submit()
        {
            int[] prompt = new int[random.Next(16, 256)];
            for (int i = 0; i < prompt.Length; i++)
            {
                prompt[i] = random.Next(profile.VocabularySize);
            }
            core.Add(core.Prepare(new EngineRequest
            {
                Id = $"r{next++}",
                Prompt = [new PromptPiece.Tokens(prompt)],
                Sampling = new SamplingParameters { MaxTokens = Output(), IgnoreEos = true, Temperature = 0 },
            }), outputs);
        }
        for (int i = 0; i < sequences; i++)
        {
            Submit();
        }
        double[] times = new double[Steps];
        int[] collections = new int[Steps];
        long allocated = 0;
        for (int step = -Warmup; step < Steps; step++)
        {
            int ended = outputs.Outputs.Count(output => output.Finish is not null);
            outputs.Outputs.Clear();
            outputs.Ids.Clear();
            for (int i = 0; i < ended; i++)
            {
                Submit();
            }
            executor.Inside = 0;
            int collected = GC.CollectionCount(0);
            long bytes = GC.GetAllocatedBytesForCurrentThread();
            long start = ThreadClock.Nanoseconds();
            core.Step(outputs);
            long time = ThreadClock.Nanoseconds() - start - executor.Inside;
            if (step >= 0)
            {
                times[step] = time / 1e3;
                collections[step] = GC.CollectionCount(0) - collected;
                allocated += GC.GetAllocatedBytesForCurrentThread() - bytes - executor.Allocated;
            }
        }
        return (times, collections, allocated);
    }
}

/// <summary>Measures what the executor takes, to be left out.</summary>
internal sealed class TimedExecutor(IModelExecutor inner) : IModelExecutor
{
    public long Inside { get; set; }

    public long Allocated { get; private set; }

    public ExecutorDescription Describe() => inner.Describe();

    public void Execute(in StepPlan plan, StepResult result)
    {
        long bytes = GC.GetAllocatedBytesForCurrentThread();
        long start = ThreadClock.Nanoseconds();
        inner.Execute(plan, result);
        Inside = ThreadClock.Nanoseconds() - start;
        Allocated = GC.GetAllocatedBytesForCurrentThread() - bytes;
    }

    public void Dispose() => inner.Dispose();
}

/// <summary>CPU time of the calling thread.</summary>
internal static partial class ThreadClock
{
    private const int ThreadCpuTime = 3; // CLOCK_THREAD_CPUTIME_ID

    public static long Nanoseconds()
    {
        ClockGetTime(ThreadCpuTime, out Time time);
        return (time.Seconds * 1_000_000_000) + time.Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockGetTime(int clock, out Time time);

    private struct Time
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
