using MmCluster.Engine.Simulation;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Engine.Tests.Structured;

namespace MmCluster.Engine.Tests.Scheduling;

/// <summary>Steps that are planned before the tokens they build on are known.</summary>
public sealed class RunningAheadTests
{
    private static readonly SimulationProfile Profile = new()
    {
        VocabularySize = 1000,
        BlockCount = 64,
        MaxSlots = 8,
        MaxModelLength = 500,
        StepMilliseconds = 1,
        TokenMicroseconds = 0,
        ContextNanoseconds = 0,
        RunsAhead = true,
    };

    private static readonly EngineOptions Options = new() { MaxNumSeqs = 8, MaxNumBatchedTokens = 64 };

    [Fact]
    public void No_plan_is_empty_while_a_sequence_decodes()
    {
        CountingExecutor executor = new(new SimulatedExecutor(Profile, new VirtualTime()) { VerifyContext = true });
        using EngineDriver driver = new(executor, Options);
        driver.Submit(Requests.Of("a", Requests.Prompt(20), 50));
        driver.RunToEnd();
        Assert.Equal(50, driver.Results[("a", 0)].Tokens.Count);
        // One to fetch the last result, and one with the slot's end.
        Assert.Equal((50, 2), (executor.Plans, executor.EmptyPlans));
    }

    [Fact]
    public void The_last_token_of_a_limit_is_not_run_ahead_of()
    {
        using EngineDriver driver = new(Profile, Options);
        driver.Submit(Requests.Of("a", Requests.Prompt(20), 12));
        driver.RunToEnd();
        Assert.Equal((31, 0), (driver.Core.Statistics.ComputedTokens, driver.Core.Statistics.DiscardedTokens));
    }

    [Fact]
    public void A_stop_makes_one_position_stale_and_harms_nobody()
    {
        using EngineDriver alone = new(Profile with { RunsAhead = false }, Options);
        alone.Submit(Requests.Of("a", Requests.Prompt(20), 200));
        alone.RunToEnd();
        List<int> whole = alone.Results[("a", 0)].Tokens;

        // Blocks for one sequence and a half: the stale position's block goes to somebody else at once.
        using EngineDriver driver = new(Profile with { BlockCount = 6 }, Options);
        driver.Submit(Requests.Of("a", Requests.Prompt(20), 60, sampling => sampling with { StopTokenIds = [whole[27]] }));
        driver.Submit(Requests.Of("b", Requests.Prompt(20), 60));
        driver.RunToEnd();
        Assert.Equal((FinishReason.Stop, FinishReason.Length), (driver.Results[("a", 0)].Finish!.Value, driver.Results[("b", 0)].Finish!.Value));
        Assert.Equal(whole.Take(whole.IndexOf(whole[27]) + 1), driver.Results[("a", 0)].Tokens);
        Assert.Equal(whole.Take(60), driver.Results[("b", 0)].Tokens);
        Assert.True(driver.Core.Statistics.DiscardedTokens > 0);
        Assert.Equal(6, driver.Core.Scheduler.Kv.Pool.FreeCount);
    }

    [Fact]
    public void A_grammar_waits_for_each_token_while_others_run_ahead()
    {
        ByteVocabulary vocabulary = new();
        EngineOptions options = Options with { Vocabulary = vocabulary, EosTokenIds = [vocabulary.Count - 1] };
        List<Collected> results = [];
        foreach (bool ahead in new[] { false, true })
        {
            using EngineDriver driver = new(Profile with { VocabularySize = vocabulary.Count, RunsAhead = ahead }, options);
            driver.Submit(Requests.Of("a", [1, 2, 3], 40, sampling => sampling with { Structure = new StructuredOutput.Regex("[a-f]{3}-[0-9]{4}") }));
            driver.Submit(Requests.Of("b", [4, 5], 40, sampling => sampling with { IgnoreEos = true }));
            driver.RunToEnd();
            results.Add(driver.Results[("a", 0)]);
            results.Add(driver.Results[("b", 0)]);
        }
        Assert.Matches("^[a-f]{3}-[0-9]{4}$", results[2].Text);
        Assert.Equal(results[0].Tokens, results[2].Tokens);
        Assert.Equal(results[1].Tokens, results[3].Tokens);
    }

    [Fact]
    public void A_cancelled_sequence_ends_at_once_and_its_plan_in_flight_is_dropped()
    {
        using EngineDriver driver = new(Profile, Options);
        driver.Submit(Requests.Of("a", Requests.Prompt(20), 100));
        for (int step = 0; step < 10; step++)
        {
            driver.Step();
        }
        int seen = driver.Results[("a", 0)].Tokens.Count;
        driver.Cancel("a");
        Assert.Equal(FinishReason.Cancelled, driver.Results[("a", 0)].Finish);
        driver.RunToEnd();
        Assert.Equal(seen, driver.Results[("a", 0)].Tokens.Count);
        Assert.Equal(Profile.BlockCount, driver.Core.Scheduler.Kv.Pool.FreeCount);
    }

    [Fact]
    public void Steps_ahead_allocate_nothing()
    {
        using EngineDriver driver = new(new SimulatedExecutor(Profile with { StepMilliseconds = 0, BlockCount = 128 }, TimeProvider.System), Options);
        StepOutputs outputs = new();
        for (int i = 0; i < 4; i++)
        {
            driver.Core.Add(driver.Core.Prepare(Requests.Of($"r{i}", Requests.Prompt(20 + i, i), 400, sampling => sampling with { IgnoreEos = true })), outputs);
        }
        int allocating = 0;
        for (int step = 0; step < 290; step++)
        {
            outputs.Outputs.Clear();
            outputs.Ids.Clear();
            long before = GC.GetAllocatedBytesForCurrentThread();
            driver.Core.Step(outputs);
            // The simulated slots' lists have grown by then, and do not grow again until later.
            allocating += step >= 245 && GC.GetAllocatedBytesForCurrentThread() > before ? 1 : 0;
        }
        Assert.InRange(allocating, 0, 2);
        Assert.Equal(4, outputs.Outputs.Count);
    }

    private sealed class CountingExecutor(IModelExecutor inner) : IModelExecutor
    {
        public int Plans { get; private set; }

        public int EmptyPlans { get; private set; }

        public ExecutorDescription Describe() => inner.Describe();

        public void Execute(in StepPlan plan, StepResult result)
        {
            Plans += plan.Chunks.Length > 0 ? 1 : 0;
            EmptyPlans += plan.Chunks.Length == 0 ? 1 : 0;
            inner.Execute(plan, result);
        }

        public void Dispose() => inner.Dispose();
    }
}
