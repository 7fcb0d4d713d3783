using MmCluster.Engine.Cpu;
using MmCluster.Engine.Tests.Kinds;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Cpu;

/// <summary>Decoders of all kinds, through scheduler and executor of a processor: logits are bit-equal however the work is cut.</summary>
public sealed class DecoderBitsTests
{
    private const int Count = 4;

    [Theory, MemberData(nameof(DecoderCase.KindsAndWays), MemberType = typeof(DecoderCase))]
    public void Logits_are_bit_equal_to_those_of_each_request_alone(string kind, string way)
    {
        Dictionary<(ulong, int), float[]> alone = [];
        for (int i = 0; i < Count; i++)
        {
            Run(kind, new EngineOptions { EnablePrefixCaching = false }, 256, alone, driver => driver.Submit(DecoderCase.Request(kind, i, $"r{i}")));
        }
        Dictionary<(ulong, int), float[]> other = [];
        EngineOptions options = new() { MaxNumSeqs = 8, EnablePrefixCaching = way == "cached" };
        // A bidirectional prompt needs a step for the whole of it.
        int budget = kind == "prefix" ? 50 : 13;
        (options, int blocks) = way switch
        {
            "chunked" => (options with { MaxNumBatchedTokens = budget }, 256),
            "preempted" => (options, 9),
            _ => (options, 256),
        };
        Run(kind, options, blocks, other, driver =>
        {
            for (int i = 0; i < Count; i++)
            {
                driver.Submit(DecoderCase.Request(kind, i, $"r{i}", way == "choices" ? 3 : 1));
            }
            driver.RunToEnd();
            if (way == "preempted")
            {
                Assert.True(driver.Core.Scheduler.Preemptions > 0);
            }
            if (way == "cached")
            {
                driver.Submit(DecoderCase.Request(kind, 2, "again"));
                driver.RunToEnd();
                // Two whole blocks, but not a part of the span at 25 to 35.
                Assert.Equal(kind == "span" ? 16 : 32, driver.Results[("again", 0)].Usage!.CachedTokens);
            }
        });
        Assert.Equal(alone.Keys.Order(), other.Keys.Order());
        foreach (((ulong, int) key, float[] row) in alone)
        {
            Assert.True(row.AsSpan().SequenceEqual(other[key]), $"request {key.Item1}, length {key.Item2}");
        }
    }

    [Fact]
    public void A_span_that_sees_itself_in_both_directions_is_refused_where_no_step_holds_it()
    {
        using EngineDriver driver = Driver("span", new EngineOptions { MaxNumSeqs = 8, MaxNumBatchedTokens = 9 }, 64, []);
        Models.MmException error = Assert.Throws<Models.MmException>(() => driver.Submit(DecoderCase.Request("span", 0, "r")));
        Assert.Contains("--max-num-batched-tokens", error.Message, StringComparison.Ordinal);
    }

    private static EngineDriver Driver(string kind, EngineOptions options, int blocks, Dictionary<(ulong, int), float[]> seen)
    {
        long bytes = PagedKv.BytesABlock(TinyBackbone.Heads, TinyBackbone.HeadDim) * TinyBackbone.Layers * blocks;
        CpuExecutor executor = new(DecoderCase.Network(kind, Device.Cpu), new ExecutorOptions { MaxSlots = 8, KvCacheBytes = bytes })
        {
            LogitsSeen = (start, length, row) =>
            {
                if (seen.TryGetValue((start.Sampling.Seed, length), out float[]? known))
                {
                    Assert.True(row.AsSpan().SequenceEqual(known), $"request {start.Sampling.Seed}, length {length}: not the bits of before");
                }
                seen[(start.Sampling.Seed, length)] = row;
            },
        };
        return new EngineDriver(executor, options);
    }

    private static void Run(string kind, EngineOptions options, int blocks, Dictionary<(ulong, int), float[]> seen, Action<EngineDriver> work)
    {
        using EngineDriver driver = Driver(kind, options, blocks, seen);
        work(driver);
        driver.RunToEnd();
        Assert.All(driver.Results.Values, result => Assert.True(result.Finish == FinishReason.Length, result.Error?.Message));
    }
}
