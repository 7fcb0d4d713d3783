using MmCluster.Engine.Tests.Cpu;
using MmCluster.Engine.Tests.Simulation;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Engine.Tests.TensorParallel;

/// <summary>Ranks that have a part of every layer each say what one says.</summary>
public sealed class TensorParallelTests
{
    private const int Count = 6;

    public static TheoryData<string, int> Splits => new()
    {
        { "tests/goldens/llama_gqa", 2 },
        { "tests/goldens/llama_gqa", 4 }, // two key heads: each on two ranks
        { "tests/goldens/qwen2", 2 },
        { "tests/goldens/qwen2", 4 },
        { "tests/goldens/opt", 2 },
        { "tests/goldens/opt", 4 },
        { "tests/goldens/opt_350m_style", 2 },
        { "models/mini", 2 },
        { "models/mini", 4 },
    };

    [Theory, MemberData(nameof(Splits))]
    public void Every_way_to_schedule_gives_the_ids_of_one_rank(string folder, int ranks)
    {
        using RankedModel whole = new(RepositoryRoot.Path(folder), 1);
        using RankedModel split = new(RepositoryRoot.Path(folder), ranks);
        Dictionary<(string, int), List<int>> expected = Run(whole, "batched");
        foreach (string way in SchedulingWays.All)
        {
            Dictionary<(string, int), List<int>> got = Run(split, way); // bit-equal logits from way to way: RankedModel checks it
            Assert.Equal(expected.Keys.Order(), got.Keys.Order());
            Assert.All(expected, pair => Assert.Equal(pair.Value, got[pair.Key]));
        }
        Assert.Equal(whole.Logits.Keys.Order(), split.Logits.Keys.Order());
        foreach (((ulong, int) key, float[] row) in whole.Logits)
        {
            Assert.InRange(Error(split.Logits[key], row), 0, 1e-4);
        }
    }

    [Theory]
    [InlineData(DType.BF16)]
    [InlineData(DType.Q8_0)]
    public void Packed_weights_are_cut_into_the_values_that_they_have_whole(DType type)
    {
        using TinyFolder folder = TinyFolder.Llama(hidden: 128, heads: 4, kvHeads: 4, intermediate: 192);
        using RankedModel whole = new(folder.Path, 1, type);
        using RankedModel split = new(folder.Path, 2, type);
        Run(whole, "batched");
        Run(split, "batched");
        // Each request's first drawn position: later ones follow their own tokens.
        foreach ((ulong, int) key in whole.Logits.Keys.GroupBy(key => key.Seed).Select(keys => keys.MinBy(key => key.Length)))
        {
            Assert.InRange(Error(split.Logits[key], whole.Logits[key]), 0, 1e-4);
        }
    }

    [Fact]
    public void Ranks_that_would_cut_quantized_blocks_are_refused()
    {
        using TinyFolder folder = TinyFolder.Llama(hidden: 128, heads: 4, kvHeads: 4, intermediate: 160);
        ArgumentException error = Assert.Throws<ArgumentException>(() => RankedModel.Load(folder.Path, ProcessGroup.Create(Device.Cpu, 2)[0], DType.Q8_0));
        Assert.Equal(
            "tensor parallel: 160 inputs of model.layers.0.mlp.down_proj over 2 ranks are 80 each, which cuts Q8_0's blocks of 32: take fewer ranks or another type", error.Message);
    }

    [Fact]
    public void A_vocabulary_that_does_not_divide_leaves_the_last_rank_fewer_tokens()
    {
        using TinyFolder folder = TinyFolder.Llama(vocabulary: 203, heads: 8, kvHeads: 4);
        using RankedModel whole = new(folder.Path, 1);
        using RankedModel split = new(folder.Path, 4);
        Dictionary<(string, int), List<int>> expected = Run(whole, "batched");
        Assert.All(Run(split, "batched"), pair => Assert.Equal(expected[pair.Key], pair.Value));
        Assert.All(split.Logits.Values, row => Assert.Equal(203, row.Length));
    }

    [Fact]
    public void A_rank_reads_and_keeps_its_part_alone()
    {
        using TinyFolder folder = TinyFolder.Llama(vocabulary: 200, layers: 3, hidden: 48, heads: 6, kvHeads: 2, intermediate: 80);
        using RankedModel whole = new(folder.Path, 1);
        using RankedModel split = new(folder.Path, 2);
        const long Shared = sizeof(float) * ((200 * 48) + (7 * 48)); // embedding and norms
        Assert.All(split.Ranks, rank => Assert.Equal(Shared + ((whole.Ranks[0].WeightBytes - Shared) / 2), rank.WeightBytes));
        Assert.All(split.Ranks, rank => Assert.Equal(1, rank.Backbone!.Spec.KvHeads));
    }

    [Fact]
    public void Made_up_weights_are_the_same_network_however_it_is_split()
    {
        using TinyFolder folder = TinyFolder.Llama();
        IReadOnlyList<ProcessGroup> groups = ProcessGroup.Create(Device.Cpu, 2);
        LoadOptions options = new() { Backbone = DType.F32, Format = LoadFormat.Dummy };
        using LoadedModel first = LoadedModel.Load(folder.Path, options with { Group = groups[0] });
        using LoadedModel second = LoadedModel.Load(folder.Path, options with { Group = groups[1] });
        using LoadedModel again = LoadedModel.Load(folder.Path, options with { Group = groups[1] });
        using Tensor finished = Tensor.Ones([1, 48]);
        using LoadedModel whole = LoadedModel.Load(folder.Path, options);
        using Tensor expected = whole.Backbone!.Logits(finished);
        float[][] logits = new float[2][];
        Thread other = new(() => Compute(1, second));
        other.Start();
        Compute(0, first);
        other.Join();
        Assert.InRange(Error(logits[0], expected.ToArray<float>()), 0, 1e-6);
        Assert.Equal(logits[0], logits[1]);

        void Compute(int rank, LoadedModel model)
        {
            using Tensor rows = model.Backbone!.Logits(finished);
            logits[rank] = rows.ToArray<float>();
        }
    }

    [Theory]
    [InlineData(4, 6, 2, 80, "the 6 attention heads of model.layers.0.self_attn cannot be split over 4 ranks")]
    [InlineData(6, 6, 4, 80, "num_key_value_heads")] // the network's own rule comes first
    [InlineData(4, 8, 2, 82, "the 82 outputs of model.layers.0.mlp cannot be split over 4 ranks")]
    [InlineData(3, 6, 2, 81, "the 2 key and value heads of model.layers.0.self_attn can neither be split over 3 ranks nor be repeated evenly on them")]
    public void What_does_not_divide_is_refused_with_its_numbers(int ranks, int heads, int kvHeads, int intermediate, string message)
    {
        using TinyFolder folder = TinyFolder.Llama(heads: heads, kvHeads: kvHeads, intermediate: intermediate);
        Exception error = Assert.ThrowsAny<Exception>(() => RankedModel.Load(folder.Path, ProcessGroup.Create(Device.Cpu, ranks)[0]));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.True(error is ArgumentException or InvalidDataException);
    }

    [Fact]
    public void A_network_whose_layers_declare_no_split_is_refused()
    {
        using TinyFolder folder = TinyFolder.T5();
        NotSupportedException error = Assert.Throws<NotSupportedException>(() => RankedModel.Load(folder.Path, ProcessGroup.Create(Device.Cpu, 2)[0]));
        Assert.Contains("network 't5' cannot be split over 2 ranks", error.Message, StringComparison.Ordinal);
    }

    internal static Dictionary<(string, int), List<int>> Run(RankedModel model, string way) =>
        SchedulingWays.Run(way, (options, blocks) => model.Drive(options, blocks), scarceBlocks: 10, Enumerable.Range(0, Count).Select(Request));

    // Greedy; they share 40 tokens and differ in length. The seed only names them.
    private static EngineRequest Request(int i) => Requests.Of(
        $"r{i}", [.. Requests.Prompt(40), .. Requests.Prompt(3 + (9 * i), i)], 20 + i, sampling => sampling with
        {
            Seed = (ulong)i,
            RepetitionPenalty = 1 + (i % 2 * 0.1f),
            IgnoreEos = true,
        });

    private static double Error(ReadOnlySpan<float> got, ReadOnlySpan<float> expected)
    {
        double difference = 0, norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow(got[i] - expected[i], 2);
            norm += Math.Pow(expected[i], 2);
        }
        return Math.Sqrt(difference / norm);
    }
}
