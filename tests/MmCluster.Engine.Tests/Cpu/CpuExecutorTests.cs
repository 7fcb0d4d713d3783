using MmCluster.Engine.Cpu;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Cpu;

/// <summary>Logits are bit-equal however the scheduler cuts, mixes, interrupts or repeats the work.</summary>
[Collection(AloneTests.Name)]
public sealed class CpuExecutorTests : IDisposable
{
    private const int Count = 6;

    private readonly TinyFolder _folder = TinyFolder.Llama();
    private readonly LoadedModel _model;

    public CpuExecutorTests() => _model = LoadedModel.Load(_folder.Path, new LoadOptions { Backbone = DType.F32 });

    public static TheoryData<string, DType> Ways
    {
        get
        {
            var ways = new TheoryData<string, DType>();
            foreach (string way in new[] { "batched", "chunked", "preempted", "cached", "replayed", "drafted", "choices" })
            {
                foreach (DType kv in new[] { DType.F32, DType.BF16, DType.Q8_0 })
                {
                    ways.Add(way, kv);
                }
            }
            return ways;
        }
    }

    [Theory, MemberData(nameof(Ways))]
    public void Logits_are_bit_equal_to_those_of_each_request_alone(string way, DType kv)
    {
        Dictionary<(ulong, int), float[]> alone = [];
        for (int i = 0; i < Count; i++)
        {
            Run(new EngineOptions { EnablePrefixCaching = false }, 512, alone, driver => driver.Submit(Request(i)), kv);
        }
        Dictionary<(ulong, int), float[]> other = [];
        EngineOptions options = new() { MaxNumSeqs = 8, EnablePrefixCaching = way is "cached" };
        (options, int blocks) = way switch
        {
            "chunked" => (options with { MaxNumBatchedTokens = 11 }, 512),
            "preempted" => (options, 13),
            "drafted" => (options with { SpeculativeTokens = 3, PromptLookupMin = 1 }, 512),
            _ => (options, 512),
        };
        Run(options, blocks, other, driver =>
        {
            for (int i = 0; i < Count; i++)
            {
                driver.Submit(Request(i, choices: way == "choices" ? 3 : 1));
                if (way == "cached")
                {
                    driver.RunToEnd();
                }
            }
            if (way == "preempted")
            {
                driver.RunToEnd();
                Assert.True(driver.Core.Scheduler.Preemptions > 0);
            }
            if (way == "cached")
            {
                Assert.True(driver.Core.Scheduler.Kv.CacheHits > 0);
            }
        }, kv, way == "replayed" ? 9 : null);
        Assert.Equal(alone.Keys.Order(), other.Keys.Order());
        foreach (((ulong, int) key, float[] row) in alone)
        {
            Assert.True(row.AsSpan().SequenceEqual(other[key]), $"request {key.Item1}, length {key.Item2}");
        }
    }

    /// <summary>How far rounded keys and values move the logits: relative to those with F32, over prompt ends and decodes of the same tokens.</summary>
    [Theory]
    [InlineData(DType.BF16, 4e-3)]
    [InlineData(DType.Q8_0, 1e-2)]
    public void Logits_with_a_rounded_cache_are_close_to_those_with_F32(DType kv, double tolerance)
    {
        Dictionary<(ulong, int), float[]> exact = [];
        Dictionary<(ulong, int), float[]> rounded = [];
        // One token each, so that both see the same tokens.
        EngineRequest Prefix(int i) => Requests.Of($"r{i}", Requests.Prompt(20 + (17 * i), i), 1, sampling => sampling with { Seed = (ulong)i, IgnoreEos = true });
        foreach ((DType dtype, Dictionary<(ulong, int), float[]> seen) in new[] { (DType.F32, exact), (kv, rounded) })
        {
            Run(new EngineOptions { MaxNumSeqs = 8, MaxNumBatchedTokens = 13 }, 512, seen, driver =>
            {
                for (int i = 0; i < Count; i++)
                {
                    driver.Submit(Prefix(i));
                }
            }, dtype);
        }
        double worst = 0;
        foreach (((ulong, int) key, float[] row) in exact)
        {
            double error = Math.Sqrt(row.Zip(rounded[key], (a, b) => (double)(a - b) * (a - b)).Sum() / row.Sum(a => (double)a * a));
            worst = Math.Max(worst, error);
        }
        Assert.InRange(worst, 1e-6, tolerance);
    }

    [Fact]
    public void The_cache_key_names_the_type_of_keys_and_values()
    {
        string[] formats = [.. new[] { DType.F32, DType.BF16, DType.Q8_0 }.Select(kv =>
        {
            using EngineDriver driver = Driver(new EngineOptions { MaxNumSeqs = 8 }, 4, kv: kv);
            return driver.Core.Model.KvFormat;
        })];
        Assert.Equal(3, formats.Distinct().Count());
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.Q8_0)]
    public void Decode_steps_allocate_nothing(DType kv)
    {
        using EngineDriver driver = Driver(new EngineOptions { MaxNumSeqs = 8 }, 512, kv: kv);
        EngineCore core = driver.Core;
        StepOutputs outputs = new();
        for (int i = 0; i < 4; i++)
        {
            core.Add(core.Prepare(Requests.Of($"r{i}", Requests.Prompt(20 + i, i), 200, sampling => sampling with { IgnoreEos = true })), outputs);
        }
        int allocating = 0;
        for (int step = 0; step < 120; step++)
        {
            outputs.Outputs.Clear();
            outputs.Ids.Clear();
            long before = GC.GetAllocatedBytesForCurrentThread();
            core.Step(outputs);
            // First uses lie behind after a while. The runtime counts the rest of an allocation area when it takes a new one, hence the allowance.
            allocating += step >= 60 && GC.GetAllocatedBytesForCurrentThread() > before ? 1 : 0;
        }
        Assert.InRange(allocating, 0, 2);
        Assert.Equal(4, outputs.Outputs.Count);
    }

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    // Shares 40 tokens with the others, repeats itself a little, and differs in length.
    private static EngineRequest Request(int i, int choices = 1) => new()
    {
        Id = $"r{i}",
        Prompt = [new PromptPiece.Tokens((int[])[.. Requests.Prompt(40), .. Requests.Prompt(3 + (9 * i), i)])],
        Sampling = new SamplingParameters { Temperature = 0, Seed = (ulong)i, MaxTokens = 30 + i, IgnoreEos = true, Choices = choices },
    };

    private EngineDriver Driver(
        EngineOptions options, int blocks, Dictionary<(ulong, int), float[]>? seen = null, int? failAt = null, DType kv = DType.F32)
    {
        long bytes = PagedKv.BytesABlock(_model.Backbone!.Spec.KvHeads, _model.Backbone.Spec.HeadDim, kv) * _model.Backbone.Spec.LayerCount * blocks;
        CpuExecutor executor = new(_model.Backbone, new ExecutorOptions { MaxSlots = 8, KvCacheBytes = bytes, KvCacheDType = kv });
        if (seen is not null)
        {
            executor.LogitsSeen = (start, length, row) => Note(seen, (start.Sampling.Seed, length), row);
        }
        return new EngineDriver(failAt is null ? executor : new FailingOnce(executor, failAt.Value), options);
    }

    private void Run(
        EngineOptions options, int blocks, Dictionary<(ulong, int), float[]> seen, Action<EngineDriver> work, DType kv, int? failAt = null)
    {
        using EngineDriver driver = Driver(options, blocks, seen, failAt, kv);
        work(driver);
        driver.RunToEnd();
        Assert.All(driver.Results.Values, result => Assert.Equal(FinishReason.Length, result.Finish));
    }

    private static void Note(Dictionary<(ulong, int), float[]> seen, (ulong, int) key, float[] row)
    {
        if (seen.TryGetValue(key, out float[]? known))
        {
            Assert.True(row.AsSpan().SequenceEqual(known));
        }
        seen[key] = row;
    }

    /// <summary>Throws behind one step, as a device does whose results are lost.</summary>
    private sealed class FailingOnce(IModelExecutor inner, int at) : IModelExecutor
    {
        public ExecutorDescription Describe() => inner.Describe();

        public void Execute(in StepPlan plan, StepResult result)
        {
            if (plan.Step == at)
            {
                StepPlan broken = plan with { Ends = new[] { 9999 } };
                inner.Execute(in broken, result);
            }
            inner.Execute(plan, result);
        }

        public void Dispose() => inner.Dispose();
    }
}
