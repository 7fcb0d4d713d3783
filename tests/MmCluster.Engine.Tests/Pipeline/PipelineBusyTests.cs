using MmCluster.Engine.Cpu;
using MmCluster.Engine.Pipeline;
using MmCluster.Engine.Simulation;
using MmCluster.Engine.Tests.Cpu;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Pipeline;

/// <summary>Micro-batches keep all shards busy.</summary>
public sealed class PipelineBusyTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void As_many_requests_as_shards_take_no_longer_than_one(int shards)
    {
        double one = TokensPerSecond(shards, requests: 1);
        double full = TokensPerSecond(shards, requests: shards);
        double more = TokensPerSecond(shards, requests: 3 * shards);
        // All prompts enter with the first step, so that the pipeline fills once.
        Assert.InRange(full / one, 0.95 * shards, shards);
        Assert.InRange(more / one, 2.8 * shards, 3 * shards); // decode's fixed cost is shared by three
    }

    [Fact]
    public void Requests_are_spread_over_the_micro_batches()
    {
        const int Shards = 4;
        using EngineDriver driver = new(Profile(Shards), Options, executor => new Watching(executor, sizes => Assert.InRange(sizes, 2, 3)));
        for (int i = 0; i < 10; i++)
        {
            driver.Submit(Request(i));
        }
        driver.RunToEnd();
    }

    [Fact]
    public void Every_shard_computes_a_step_of_its_own_at_the_same_time()
    {
        const int Shards = 3;
        using TinyFolder folder = TinyFolder.Llama();
        using ShardedModel model = new(folder.Path, Shards);
        using Barrier together = new(Shards);
        Meeting[] meetings = [.. model.Shards(512).Select((shard, i) => new Meeting(shard, together, firstStep: 40 - i, steps: 30))];
        using EngineDriver driver = new(LocalPipeline.Create(meetings), Options);
        for (int i = 0; i < Shards; i++)
        {
            driver.Submit(Request(i));
        }
        driver.RunToEnd();
        Assert.All(meetings, meeting => Assert.True(meeting.Missed == 0, $"{meeting.Missed} steps waited in vain for the other shards"));
        Assert.All(meetings, meeting => Assert.Equal(30, meeting.Met));
    }

    [Fact]
    public void Decode_steps_allocate_nothing_on_any_shard()
    {
        using TinyFolder folder = TinyFolder.Llama();
        using ShardedModel model = new(folder.Path, 3);
        Measuring[] shards = [.. model.Shards(512).Select(shard => new Measuring(shard))];
        shards[^1].Inner.LogitsSeen = null;
        using EngineDriver driver = new(LocalPipeline.Create(shards), Options);
        StepOutputs outputs = new();
        for (int i = 0; i < 6; i++) // two a step
        {
            driver.Core.Add(driver.Core.Prepare(Request(i)), outputs);
        }
        while (driver.Core.Step(outputs))
        {
            outputs.Outputs.Clear();
            outputs.Ids.Clear();
        }
        // Between two steps of a thread lies all that it does: receive, read, compute, write, send. The runtime counts the rest of an allocation area when
        // it takes a new one, hence the allowance.
        Assert.All(shards, shard => Assert.InRange(shard.Allocating, 0, 2));
    }

    private static EngineOptions Options => new() { MaxNumSeqs = 32, MaxNumBatchedTokens = 512, EnablePrefixCaching = false };

    private static SimulationProfile Profile(int shards) => new()
    {
        StepMilliseconds = 40,
        TokenMicroseconds = 0,
        ContextNanoseconds = 0,
        PipelineDepth = shards,
        MaxSlots = 32,
        MaxBatchedTokens = 512,
        BlockCount = 1024,
    };

    private static EngineRequest Request(int i) =>
        Requests.Of($"r{i}", Requests.Prompt(8, i), 200, sampling => sampling with { IgnoreEos = true, Seed = (ulong)i });

    private static double TokensPerSecond(int shards, int requests)
    {
        using EngineDriver driver = new(Profile(shards), Options);
        for (int i = 0; i < requests; i++)
        {
            driver.Submit(Request(i));
        }
        DateTimeOffset start = driver.Time.GetUtcNow();
        driver.RunToEnd();
        return driver.Results.Values.Sum(result => result.Tokens.Count) / (driver.Time.GetUtcNow() - start).TotalSeconds;
    }

    /// <summary>Tells of how many sequences a decode step has.</summary>
    private sealed class Watching(IModelExecutor inner, Action<int> seen) : IModelExecutor
    {
        public ExecutorDescription Describe() => inner.Describe();

        public void Execute(in StepPlan plan, StepResult result)
        {
            if (plan.Chunks.Length > 0 && plan.Starts.Length == 0)
            {
                seen(plan.Chunks.Length);
            }
            inner.Execute(plan, result);
        }

        public void Dispose() => inner.Dispose();
    }

    /// <summary>From a step on, each step waits until all shards are in one; a shard's first such step is the one before that of the shard before it.</summary>
    private sealed class Meeting(IModelShard inner, Barrier together, long firstStep, int steps) : IModelShard
    {
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

        public int Met { get; private set; }

        public int Missed { get; private set; }

        public BackboneSpec Spec => inner.Spec;

        public ExecutorDescription Describe() => inner.Describe();

        public void Run(in StepPlan plan, Tensor? input, Tensor? output, StepResult result)
        {
            if (plan.Step >= firstStep && plan.Step < firstStep + steps)
            {
                bool met = together.SignalAndWait(Patience);
                Met += met ? 1 : 0;
                Missed += met ? 0 : 1;
            }
            inner.Run(plan, input, output, result);
        }

        public void Append(StepResult sampled) => inner.Append(sampled);

        public void Reset() => inner.Reset();

        public void Dispose() => inner.Dispose();
    }

    /// <summary>Counts steps since whose predecessor their thread has allocated.</summary>
    private sealed class Measuring(CpuShard inner) : IModelShard
    {
        private long _before;

        public CpuShard Inner => inner;

        public int Allocating { get; private set; }

        public BackboneSpec Spec => inner.Spec;

        public ExecutorDescription Describe() => inner.Describe();

        public void Run(in StepPlan plan, Tensor? input, Tensor? output, StepResult result)
        {
            long now = GC.GetAllocatedBytesForCurrentThread();
            Allocating += plan.Step is > 200 and < 300 && now > _before ? 1 : 0;
            inner.Run(plan, input, output, result);
            _before = now;
        }

        public void Append(StepResult sampled) => inner.Append(sampled);

        public void Reset() => inner.Reset();

        public void Dispose() => inner.Dispose();
    }
}
