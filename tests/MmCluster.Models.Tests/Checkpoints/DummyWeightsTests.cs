using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Models.Tests.Checkpoints;

public sealed class DummyWeightsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.Q8_0)]
    public void Config_alone_gives_a_network_whose_logits_are_of_a_sane_size(DType dtype)
    {
        _folder.Write("config.json", """
            {"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":64,"intermediate_size":96,"num_hidden_layers":8,
             "num_attention_heads":4,"vocab_size":300,"max_position_embeddings":64,"rms_norm_eps":1e-5,"hidden_act":"silu"}
            """);
        LoadOptions options = new() { Backbone = dtype, Format = LoadFormat.Dummy };
        float[] logits = Logits(options);
        double size = Math.Sqrt(logits.Average(value => value * value));
        Assert.InRange(size, 0.3, 3);
        Assert.Equal(logits, Logits(options));
        Assert.NotEqual(logits, Logits(options with { DummySeed = 1 }));
    }

    [Theory]
    [InlineData(DType.F32, 4 * 32)]
    [InlineData(DType.BF16, 2 * 32)]
    [InlineData(DType.Q8_0, 34)]
    public void What_weights_hold_is_counted_in_the_format_that_they_are_kept_in(DType dtype, int bytesABlock)
    {
        _folder.Write("config.json", """
            {"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":64,"intermediate_size":96,"num_hidden_layers":2,
             "num_attention_heads":4,"vocab_size":320,"max_position_embeddings":64,"rms_norm_eps":1e-5,"hidden_act":"silu","tie_word_embeddings":false}
            """);
        using var model = LoadedModel.Load(_folder.Path, new LoadOptions { Backbone = dtype, Format = LoadFormat.Dummy });
        int matrices = (2 * 320 * 64) + (2 * ((4 * 64 * 64) + (3 * 64 * 96)));
        const int Norms = 5 * 64;
        Assert.Equal((matrices / 32 * bytesABlock) + (4 * Norms), model.HeldBytes);
    }

    private float[] Logits(LoadOptions options)
    {
        using var model = LoadedModel.Load(_folder.Path, options);
        Assert.Equal(0, model.WeightBytes);
        using PagedRun run = new(model.Backbone!, 16);
        return run.Logits([1, 50, 7, 299, 12], 5);
    }
}
