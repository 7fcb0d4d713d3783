using MmCluster.Engine.Cpu;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Models.Backbones;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.Cpu;

/// <summary>
/// Prefix-LM, spans that see themselves in both directions, experts by type and gated cross-attention to media, through scheduler and executor: logits are those of a naive
/// twin, and bit-equal however the work is cut.
/// </summary>
public sealed class DecoderKindTests
{
    private const int Count = 4;
    private const int Output = 30;

    public static TheoryData<string, string> KindsAndWays
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string kind in new[] { "prefix", "span", "experts", "cross" })
            {
                foreach (string way in new[] { "batched", "chunked", "preempted", "cached", "choices" })
                {
                    data.Add(kind, way);
                }
            }
            return data;
        }
    }

    [Theory, MemberData(nameof(KindsAndWays))]
    public void Logits_are_bit_equal_to_those_of_each_request_alone(string kind, string way)
    {
        Dictionary<(ulong, int), float[]> alone = [];
        for (int i = 0; i < Count; i++)
        {
            Run(kind, new EngineOptions { EnablePrefixCaching = false }, 256, alone, driver => driver.Submit(Request(kind, i, $"r{i}")));
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
                driver.Submit(Request(kind, i, $"r{i}", way == "choices" ? 3 : 1));
            }
            driver.RunToEnd();
            if (way == "preempted")
            {
                Assert.True(driver.Core.Scheduler.Preemptions > 0);
            }
            if (way == "cached")
            {
                driver.Submit(Request(kind, 2, "again"));
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

    [Theory]
    [InlineData("prefix")]
    [InlineData("span")]
    [InlineData("experts")]
    [InlineData("cross")]
    public void Logits_are_those_of_the_naive_twin(string kind)
    {
        for (int i = 0; i < Count; i++)
        {
            Dictionary<(ulong, int), float[]> seen = [];
            EngineRequest request = Request(kind, i, "r");
            List<int> output = [];
            Run(kind, new EngineOptions(), 256, seen, driver =>
            {
                driver.Submit(request);
                driver.RunToEnd();
                output = driver.Results[("r", 0)].Tokens;
            });
            using var scope = new TensorScope();
            using TinyBackbone network = Network(kind);
            float[] logits = Twin(network, kind, request, output).ToArray<float>();
            int vocabulary = network.Spec.VocabularySize;
            Assert.Equal(Output, seen.Count);
            foreach (((ulong _, int length), float[] row) in seen)
            {
                float[] expected = logits[((length - 1) * vocabulary)..(length * vocabulary)];
                double error = Math.Sqrt(row.Zip(expected, (a, b) => (double)(a - b) * (a - b)).Sum() / expected.Sum(a => (double)a * a));
                Assert.True(error < 1e-5, $"request {i}, length {length}: {error:g3}");
            }
        }
    }

    [Fact]
    public void A_span_that_sees_itself_in_both_directions_is_refused_where_no_step_holds_it()
    {
        using EngineDriver driver = Driver("span", new EngineOptions { MaxNumSeqs = 8, MaxNumBatchedTokens = 9 }, 64, []);
        Models.MmException error = Assert.Throws<Models.MmException>(() => driver.Submit(Request("span", 0, "r")));
        Assert.Contains("--max-num-batched-tokens", error.Message, StringComparison.Ordinal);
    }

    private static TinyBackbone Network(string kind) => kind switch
    {
        "cross" => new TinyFlamingo(),
        "prefix" => new TinyBackbone(BackboneKind.PrefixLm, experts: false),
        _ => new TinyBackbone(BackboneKind.CausalLm, experts: kind == "experts"),
    };

    private static EngineRequest Request(string kind, int i, string id, int choices = 1)
    {
        PromptPiece Text(int count, int seed) => new PromptPiece.Tokens(Requests.Prompt(count, seed).Select(token => token % 60).ToArray());
        PromptPiece Media(int key, int length, int rows)
        {
            MediaInput input = new((UInt128)key, length, 61, Task.FromResult(Features(key, rows)));
            return new PromptPiece.Media(input with { Bidirectional = kind == "span" });
        }
        return new EngineRequest
        {
            Id = id,
            Prompt = kind switch
            {
                "prefix" => [Text(33 + (3 * i), i)],
                "cross" => [Text(5 + i, 1), Media(7, 1, 6), Text(9, 2), Media(8 + i, 1, 4), Text(20, i)],
                _ => [Text(25, 1), Media(7 + (i % 2), 10, 10), Text(8 + i, i)],
            },
            Sampling = new SamplingParameters { Temperature = 0, Seed = (ulong)i, MaxTokens = Output, IgnoreEos = true, Choices = choices },
        };
    }

    private static Tensor Features(int key, int rows)
    {
        Random random = new(key);
        return Tensor.From([.. Enumerable.Range(0, rows * TinyBackbone.Width).Select(_ => random.NextSingle() - 0.5f)], [rows, TinyBackbone.Width]);
    }

    private static Tensor Twin(TinyBackbone network, string kind, EngineRequest request, List<int> output)
    {
        List<int> ids = [];
        List<(int Position, int Length, Tensor Features)> media = [];
        foreach (PromptPiece piece in request.Prompt)
        {
            if (piece is PromptPiece.Media { Input: { } input })
            {
                media.Add((ids.Count, input.Length, input.Features.GetAwaiter().GetResult()));
                ids.AddRange(Enumerable.Repeat(kind == "cross" ? input.PlaceholderToken : 0, input.Length));
            }
            else
            {
                ids.AddRange(((PromptPiece.Tokens)piece).Ids.Span);
            }
        }
        int prompt = ids.Count;
        ids.AddRange(output.Take(output.Count - 1));
        Tensor rows = network.Embed(Tensor.From(ids.ToArray(), [ids.Count]));
        int[] types = new int[ids.Count];
        foreach ((int position, int length, Tensor features) in media.Where(_ => kind != "cross"))
        {
            features.ToArray<float>().CopyTo(rows.AsSpan<float>()[(position * TinyBackbone.Width)..]);
            types.AsSpan(position, length).Fill(1);
        }
        bool Together(int a, int b) => kind == "prefix" ? Math.Max(a, b) < prompt
            : kind == "span" && media.Any(item => Math.Min(a, b) >= item.Position && Math.Max(a, b) < item.Position + item.Length);
        // Rows of the last item at or before a position.
        bool Remembers(int position, int row)
        {
            int item = media.FindLastIndex(item => item.Position <= position);
            int first = media.Take(Math.Max(item, 0)).Sum(item => item.Features.Size(0));
            return item >= 0 && row >= first && row < first + media[item].Features.Size(0);
        }
        Tensor? memory = kind == "cross" ? Ops.Cat([.. media.Select(item => item.Features)]) : null;
        return network.Whole(rows, types, (i, j) => j <= i || Together(i, j), memory, Remembers);
    }

    private static EngineDriver Driver(string kind, EngineOptions options, int blocks, Dictionary<(ulong, int), float[]> seen)
    {
        long bytes = PagedKv.BytesABlock(TinyBackbone.Heads, TinyBackbone.HeadDim) * TinyBackbone.Layers * blocks;
        CpuExecutor executor = new(Network(kind), new ExecutorOptions { MaxSlots = 8, KvCacheBytes = bytes })
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
