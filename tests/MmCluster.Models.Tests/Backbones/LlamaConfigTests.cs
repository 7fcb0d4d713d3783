using MmCluster.Models.Backbones;
using MmCluster.Models.Checkpoints;

namespace MmCluster.Models.Tests.Backbones;

public sealed class LlamaConfigTests
{
    [Theory]
    [InlineData("{}", 32000, 11008, 32, 2048)]
    [InlineData("""{"model_type": "llama"}""", 32000, 11008, 32, 2048)]
    [InlineData("""{"model_type": "mistral"}""", 32000, 14336, 8, 131072)]
    [InlineData("""{"model_type": "mistral", "num_key_value_heads": null}""", 32000, 14336, 32, 131072)]
    [InlineData("""{"model_type": "qwen2"}""", 151936, 22016, 32, 32768)]
    public void Absent_values_are_those_of_the_class(string json, int vocabulary, int intermediate, int kvHeads, int maxLength)
    {
        LlamaConfig config = Read(json);
        Assert.Equal((vocabulary, intermediate, kvHeads, maxLength), (config.VocabularySize, config.IntermediateSize, config.KvHeads, config.MaxLength));
    }

    [Theory]
    [InlineData("""{"model_type": "mistral"}""", 4096)]
    [InlineData("""{"model_type": "mistral", "sliding_window": null}""", null)]
    [InlineData("""{"model_type": "mistral", "sliding_window": 7}""", 7)]
    [InlineData("""{"model_type": "llama", "sliding_window": 7}""", null)] // its class has no window
    [InlineData("""{"model_type": "qwen2", "sliding_window": 7, "max_window_layers": 0}""", null)]
    [InlineData("""{"model_type": "qwen2", "sliding_window": 7, "max_window_layers": 0, "use_sliding_window": true}""", 7)]
    [InlineData("""{"model_type": "qwen2", "use_sliding_window": true, "max_window_layers": 0}""", 4096)]
    [InlineData("""{"model_type": "qwen2", "use_sliding_window": true, "sliding_window": 7}""", null)] // from layer 28 on
    public void The_first_layer_looks_back_as_far_as_in_the_reference(string json, int? window) => Assert.Equal(window, Read(json).SlidingWindow[0]);

    [Fact]
    public void A_rope_table_that_would_fill_the_memory_is_refused()
    {
        var error = Assert.Throws<InvalidDataException>(() => Read("""{"hidden_size": 1073741824}"""));
        Assert.StartsWith("config.json: max_position_embeddings is 2048 with heads of 33554432", error.Message);
    }

    private static LlamaConfig Read(string json) => LlamaConfig.Read(ModelConfig.Parse(json, "config.json"));
}
