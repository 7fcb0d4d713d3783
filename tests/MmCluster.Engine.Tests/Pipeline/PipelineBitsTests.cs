using MmCluster.Engine.Tests.Simulation;

namespace MmCluster.Engine.Tests.Pipeline;

/// <summary>However many shards a network is cut into, ids and logits are bit-equal to those of one.</summary>
public sealed class PipelineBitsTests
{
    private const int Count = 6;

    public static TheoryData<string, int> Cuts => new()
    {
        { "tests/goldens/llama_gqa", 3 },
        { "tests/goldens/opt", 3 },
        { "tests/goldens/qwen2", 2 },
        { "models/mini", 2 },
        { "models/mini", 4 },
    };

    [Theory, MemberData(nameof(Cuts))]
    public void Every_way_to_schedule_gives_the_bits_of_one_shard(string folder, int shards)
    {
        using ShardedModel whole = new(RepositoryRoot.Path(folder), 1);
        using ShardedModel cut = new(RepositoryRoot.Path(folder), shards);
        Dictionary<(string, int), List<int>> expected = Run(whole, "batched");
        foreach (string way in SchedulingWays.All)
        {
            Dictionary<(string, int), List<int>> got = Run(cut, way);
            Assert.Equal(expected.Keys.Order(), got.Keys.Order());
            Assert.All(expected, pair => Assert.Equal(pair.Value, got[pair.Key]));
        }
        Assert.Equal(whole.Logits.Keys.Order(), cut.Logits.Keys.Order());
        foreach (((ulong, int, int) key, float[] row) in whole.Logits)
        {
            Assert.True(row.AsSpan().SequenceEqual(cut.Logits[key]), $"request {key.Item1}, choice {key.Item2}, length {key.Item3}");
        }
    }

    private static Dictionary<(string, int), List<int>> Run(ShardedModel model, string way) =>
        SchedulingWays.Run(way, model.Drive, scarceBlocks: 15, Enumerable.Range(0, Count).Select(Request));

    // Half of them greedy, half drawn with everything that the last shard must know; they share 40 tokens and differ in length.
    private static EngineRequest Request(int i) => new()
    {
        Id = $"r{i}",
        Prompt = [new PromptPiece.Tokens((int[])[.. Requests.Prompt(40), .. Requests.Prompt(3 + (9 * i), i)])],
        Sampling = new SamplingParameters
        {
            Temperature = i % 2,
            Seed = (ulong)i,
            TopK = 40,
            TopP = 0.95f,
            RepetitionPenalty = 1.1f,
            PresencePenalty = 0.3f,
            FrequencyPenalty = i * 0.1f,
            LogitBias = new Dictionary<int, float> { [5 + i] = 2 },
            Logprobs = i,
            MinTokens = 4,
            MaxTokens = 20 + i,
            IgnoreEos = true,
            Choices = i == 3 ? 2 : 1,
        },
    };
}
