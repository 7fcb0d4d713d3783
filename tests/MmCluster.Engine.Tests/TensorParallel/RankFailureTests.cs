using MmCluster.Engine.Cpu;
using MmCluster.Engine.TensorParallel;
using MmCluster.Engine.Tests.Cpu;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.TensorParallel;

/// <summary>What goes wrong on one rank ends the step on all of them; requests replay and give what they would have.</summary>
[Collection(AloneTests.Name)]
public sealed class RankFailureTests : IDisposable
{
    private readonly TinyFolder _folder = TinyFolder.Llama(heads: 8, kvHeads: 4);
    private readonly RankedModel _model;

    public RankFailureTests() => _model = new RankedModel(_folder.Path, 4);

    [Theory]
    [InlineData(0, true)]
    [InlineData(2, true)]
    [InlineData(0, false)]
    [InlineData(3, false)]
    public void A_step_that_fails_on_one_rank_is_replayed_on_all(int failing, bool early)
    {
        Dictionary<(string, int), List<int>> expected = Run((_, executor) => executor, failures: 0);
        Dictionary<(string, int), List<int>> got = Run(
            (rank, executor) => rank == failing ? new FailingRank(executor, at: 7, early) : executor, failures: 1);
        Assert.All(expected, pair => Assert.Equal(pair.Value, got[pair.Key]));
    }

    [Fact]
    public void Behind_a_failure_all_ranks_drop_what_they_have_before_any_begins_anew()
    {
        List<string> seen = [];
        Dictionary<(string, int), List<int>> expected = Run((_, executor) => executor, failures: 0);
        Dictionary<(string, int), List<int>> got = Run(
            (rank, executor) => new MeetingRank(rank == 1 ? new FailingRank(executor, at: 7, early: true) : executor, _model.Groups[rank], seen), failures: 1);
        Assert.All(expected, pair => Assert.Equal(pair.Value, got[pair.Key]));
        Assert.Equal([.. Enumerable.Repeat("dropped", 4), .. Enumerable.Repeat("met 4", 4)], seen);
    }

    [Fact]
    public async Task A_rank_that_does_not_come_back_ends_all_requests_with_what_to_do()
    {
        using EngineDriver driver = _model.Drive(Options, 512, (rank, executor) => rank == 2 ? new FailingRank(executor, at: 7, early: false) { ComesBack = false } : executor);
        for (int i = 0; i < 5; i++)
        {
            driver.Submit(Requests.Of($"r{i}", Requests.Prompt(10, i), 12, sampling => sampling with { IgnoreEos = true, Seed = (ulong)i }));
        }
        Assert.All(_model.Groups, group => Assert.False(group.Lost.IsCompleted));
        driver.RunToEnd();
        Assert.All(driver.Results.Values, result => Assert.Equal((FinishReason.Error, MmErrorCode.Unavailable), (result.Finish, result.Error?.Code)));
        foreach (ProcessGroup group in _model.Groups)
        {
            Assert.Equal(
                "the ranks have lost each other, the model has to be loaded again: no room for graphs (after: the device has failed)", (await group.Lost).Message);
        }
    }

    [Fact]
    public void A_rank_that_draws_other_tokens_is_found_out()
    {
        Dictionary<(string, int), List<int>> expected = Run((_, executor) => executor, failures: 0);
        Dictionary<(string, int), List<int>> got = Run((rank, executor) => rank == 1 ? new DifferingRank(executor, at: 9) : executor, failures: 1);
        Assert.All(expected, pair => Assert.Equal(pair.Value, got[pair.Key]));
    }

    [Fact]
    public void A_rank_that_cannot_be_made_ends_the_others()
    {
        int disposed = 0;
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => _model.Drive(
            new EngineOptions(), 64, (rank, executor) => rank == 2 ? throw new InvalidOperationException("no room") : new CountingRank(executor, () => Interlocked.Increment(ref disposed))));
        Assert.Equal("no room", error.Message);
        Assert.Equal(3, disposed);
    }

    [Fact]
    public void Cancelled_requests_leave_their_slots_on_all_ranks()
    {
        using EngineDriver driver = _model.Drive(Options, 64);
        // More than there are slots, three times over: a slot that a rank had kept would be in use.
        for (int round = 0; round < 3; round++)
        {
            for (int i = 0; i < 10; i++)
            {
                driver.Submit(Requests.Of($"r{round}-{i}", Requests.Prompt(10, i), 100, sampling => sampling with { IgnoreEos = true, Seed = (ulong)i }));
            }
            for (int step = 0; step < 5; step++)
            {
                Assert.True(driver.Step());
            }
            for (int i = 0; i < 10; i++)
            {
                driver.Cancel($"r{round}-{i}");
            }
            driver.RunToEnd();
        }
        Assert.Equal(0, driver.Core.Statistics.FailedSteps);
        Assert.Equal(64, driver.Core.Scheduler.Kv.Pool.FreeCount);
    }

    [Fact]
    public void Disposing_ends_all_ranks_and_their_threads()
    {
        int disposed = 0;
        Thread[] threads = new Thread[4];
        EngineDriver driver = _model.Drive(Options, 64, (rank, executor) =>
        {
            threads[rank] = Thread.CurrentThread;
            return new CountingRank(executor, () => Interlocked.Increment(ref disposed));
        });
        driver.Submit(Requests.Of("r", Requests.Prompt(10), 100, sampling => sampling with { IgnoreEos = true }));
        driver.Core.Step(new StepOutputs());
        driver.Dispose();
        Assert.Equal(4, disposed);
        Assert.Same(Thread.CurrentThread, threads[0]);
        Assert.All(threads[1..], thread => Assert.False(thread.IsAlive));
    }

    [Fact]
    public void Decode_steps_allocate_nothing_on_any_rank()
    {
        MeasuringRank[] ranks = new MeasuringRank[4];
        using EngineDriver driver = _model.Drive(Options, 512, (rank, executor) =>
        {
            ((CpuExecutor)executor).LogitsSeen = null;
            return ranks[rank] = new MeasuringRank(executor);
        });
        StepOutputs outputs = new();
        for (int i = 0; i < 4; i++)
        {
            driver.Core.Add(driver.Core.Prepare(Requests.Of($"r{i}", Requests.Prompt(8, i), 200, sampling => sampling with { IgnoreEos = true })), outputs);
        }
        while (driver.Core.Step(outputs))
        {
            outputs.Outputs.Clear();
            outputs.Ids.Clear();
        }
        // Between two steps of a thread lies all that it does. The runtime counts the rest of an allocation area when it takes a new one, hence the allowance.
        Assert.All(ranks, rank => Assert.InRange(rank.Allocating, 0, 2));
    }

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    private static EngineOptions Options => new() { MaxNumSeqs = 8, MaxNumBatchedTokens = 64, EnablePrefixCaching = false };

    private Dictionary<(string, int), List<int>> Run(Func<int, IRankExecutor, IRankExecutor> wrap, int failures)
    {
        using EngineDriver driver = _model.Drive(Options, 512, wrap);
        for (int i = 0; i < 5; i++)
        {
            driver.Submit(Requests.Of($"r{i}", Requests.Prompt(10 + (7 * i), i), 12 + i, sampling => sampling with { IgnoreEos = true, Seed = (ulong)i }));
        }
        driver.RunToEnd();
        Assert.Equal(failures, driver.Core.Statistics.FailedSteps);
        Assert.All(driver.Results.Values, result => Assert.Equal(FinishReason.Length, result.Finish));
        return driver.Results.ToDictionary(pair => pair.Key, pair => pair.Value.Tokens);
    }

    internal abstract class Rank(IRankExecutor inner) : IRankExecutor
    {
        public ExecutorDescription Describe() => inner.Describe();

        public virtual void Execute(in StepPlan plan, StepResult result) => inner.Execute(plan, result);

        public virtual void Reset() => inner.Reset();

        public virtual void Restore() => inner.Restore();

        public virtual void Dispose() => inner.Dispose();
    }

    /// <summary>Throws in one step: before it, while the others wait for its part of a sum, or behind it, when they are done.</summary>
    internal sealed class FailingRank(IRankExecutor inner, long at, bool early) : Rank(inner)
    {
        public bool ComesBack { get; init; } = true;

        public override void Restore()
        {
            if (!ComesBack)
            {
                throw new InvalidOperationException("no room for graphs");
            }
            base.Restore();
        }

        public override void Execute(in StepPlan plan, StepResult result)
        {
            if (plan.Step == at && early)
            {
                throw new InvalidOperationException("the device has failed");
            }
            base.Execute(plan, result);
            if (plan.Step == at)
            {
                throw new InvalidOperationException("the device has failed");
            }
        }
    }

    /// <summary>Begins anew as graphs do, by running with the others.</summary>
    private sealed class MeetingRank(IRankExecutor inner, ProcessGroup group, List<string> seen) : Rank(inner)
    {
        public override void Reset()
        {
            base.Reset();
            seen.Add("dropped");
        }

        public override void Restore()
        {
            base.Restore();
            using Tensor one = Tensor.Ones([1]);
            group.AllReduce(one);
            lock (seen)
            {
                seen.Add($"met {one.ToArray<float>()[0]}");
            }
        }
    }

    private sealed class DifferingRank(IRankExecutor inner, long at) : Rank(inner)
    {
        public override void Execute(in StepPlan plan, StepResult result)
        {
            base.Execute(plan, result);
            if (plan.Step == at)
            {
                result.BeginChunk(0);
                result.Add(1);
            }
        }
    }

    private sealed class CountingRank(IRankExecutor inner, Action disposed) : Rank(inner)
    {
        public override void Dispose()
        {
            disposed();
            base.Dispose();
        }
    }

    /// <summary>Counts steps since whose predecessor their thread has allocated.</summary>
    private sealed class MeasuringRank(IRankExecutor inner) : Rank(inner)
    {
        private long _before;

        public int Allocating { get; private set; }

        public override void Execute(in StepPlan plan, StepResult result)
        {
            long now = GC.GetAllocatedBytesForCurrentThread();
            Allocating += plan.Step is > 80 and < 180 && now > _before ? 1 : 0;
            base.Execute(plan, result);
            _before = now;
        }
    }
}
