using MmCluster.Models.Backbones;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Models.Tests.Backbones;

public sealed class BackboneTests
{
    private static readonly int[] Ids = [.. Enumerable.Range(0, 45).Select(i => 7 + (i * 7919 % 300))];

    public static TheoryData<string, DType> Cases => new()
    {
        { "llama_gqa", DType.F32 }, { "llama_gqa", DType.BF16 }, { "llama_gqa", DType.Q8_0 }, { "llama_gqa", DType.Q4_0 },
        { "qwen2", DType.F32 }, { "opt", DType.F32 }, { "opt_350m_style", DType.BF16 },
    };

    [Theory, MemberData(nameof(Cases))]
    public void Logits_have_the_same_bits_in_one_pass_in_chunks_and_token_by_token(string name, DType dtype)
    {
        using LoadedModel model = Load(name, dtype);
        float[] whole = Run(model.Backbone!, 45);
        Assert.Equal(whole, Run(model.Backbone!, 17, 1, 16, 11));
        Assert.Equal(whole, Run(model.Backbone!, [.. Enumerable.Repeat(1, 45)]));
    }

    [Theory]
    [InlineData("llama_gqa", 3)]
    [InlineData("qwen2", 3)]
    [InlineData("opt_350m_style", 2)]
    public void Shards_one_after_the_other_have_the_bits_of_the_whole(string name, int layers)
    {
        using LoadedModel whole = Load(name, DType.F32);
        using LoadedModel first = Load(name, DType.F32, new LayerRange(0, 1));
        using LoadedModel last = Load(name, DType.F32, new LayerRange(1, layers));
        using var scope = new TensorScope();
        using PagedRun firstRun = new(first.Backbone!, Ids.Length);
        using PagedRun lastRun = new(last.Backbone!, Ids.Length);

        Tensor hidden = lastRun.Forward(firstRun.Forward(first.Backbone!.Embed(Tensor.From(Ids, [Ids.Length])), 0), 0);

        float[] expected = Run(whole.Backbone!, Ids.Length);
        Assert.Equal(expected, last.Backbone!.Logits(last.Backbone.Finish(hidden)).ToArray<float>());
        Assert.True(first.Backbone.Spec is { HoldsEmbedding: true, HoldsHead: false, HeldLayers: 1 });
        Assert.True(last.Backbone.Spec is { HoldsEmbedding: false, HoldsHead: true });
    }

    [Theory]
    [InlineData("llama_gqa")]
    [InlineData("opt")]
    public void A_decode_step_allocates_nothing_on_the_managed_heap(string name)
    {
        using LoadedModel model = Load(name, DType.BF16);
        IBackbone backbone = model.Backbone!;
        PagedKv[] kv = [.. Enumerable.Range(0, backbone.Spec.HeldLayers).Select(_ => new PagedKv(1, backbone.Spec.KvHeads, backbone.Spec.HeadDim))];
        using Tensor ids = Tensor.Of(9);
        BackboneStep step = new()
        {
            Kv = kv,
            Batch = new PagedBatch
            {
                QueryStarts = Tensor.Of(0, 1),
                SequenceLengths = Tensor.Of(1),
                BlockTables = Tensor.From([0], [1, 1]),
                SlotMapping = Tensor.Of(0),
                Positions = Tensor.Of(0),
            },
        };
        for (int i = 0; i < 20; i++)
        {
            Step(backbone, ids, step);
        }
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10; i++)
        {
            Step(backbone, ids, step);
        }
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Array.ForEach(kv, layer => layer.Dispose());
    }

    [Fact]
    public void Layers_outside_the_network_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Load("llama_gqa", DType.F32, new LayerRange(3, 4)));
        Assert.Throws<NotSupportedException>(() => Load("flan_t5", DType.F32, new LayerRange(0, 1)));
    }

    private static void Step(IBackbone backbone, Tensor ids, BackboneStep step)
    {
        using var scope = new TensorScope(recycle: true);
        Tensor hidden = backbone.Forward(backbone.Embed(ids), step, 0, backbone.Spec.LayerCount);
        backbone.Logits(backbone.Finish(hidden));
    }

    private static LoadedModel Load(string name, DType dtype, LayerRange? shard = null) =>
        LoadedModel.Load(Repository.Golden(name), new LoadOptions { Backbone = dtype, Shard = shard ?? LayerRange.All });

    private static float[] Run(IBackbone backbone, params int[] chunks)
    {
        using PagedRun run = new(backbone, Ids.Length);
        return run.Logits(Ids, chunks);
    }
}
