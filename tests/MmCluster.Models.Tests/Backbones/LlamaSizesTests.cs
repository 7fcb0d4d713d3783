using System.Text.Json;
using MmCluster.Models.Backbones;
using MmCluster.Models.Catalog;
using MmCluster.Models.Checkpoints;
using MmCluster.Tensors;

namespace MmCluster.Models.Tests.Backbones;

public sealed class LlamaSizesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Random _random = new(3);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("LlamaForCausalLM", 48, 6, 1, 8, 37, 101, "silu", true, true, null)] // one kv head, odd MLP and vocabulary, all biases
    [InlineData("LlamaForCausalLM", 20, 2, 2, 14, 33, 65, "gelu", false, false, null)] // head_dim apart, sizes that no vector divides
    [InlineData("MistralForCausalLM", 64, 4, 2, 16, 96, 70, "silu", false, false, 5)] // a window shorter than the sequence
    [InlineData("LlamaForCausalLM", 36, 3, 3, 12, 50, 17, "relu", true, false, null)]
    [InlineData("LlamaForCausalLM", 96, 2, 1, 48, 130, 140, "gelu_pytorch_tanh", false, true, null)]
    public void Logits_equal_the_naive_twin_at_any_size(
        string architecture, int hidden, int heads, int kvHeads, int headDim, int intermediate, int vocabulary, string activation, bool attentionBias, bool mlpBias, int? window)
    {
        Write(hidden, heads, kvHeads, headDim, intermediate, vocabulary, attentionBias, mlpBias);
        _folder.Write("config.json", JsonSerializer.Serialize(new
        {
            architectures = new[] { architecture },
            model_type = architecture == "MistralForCausalLM" ? "mistral" : "llama",
            vocab_size = vocabulary,
            hidden_size = hidden,
            intermediate_size = intermediate,
            num_hidden_layers = 2,
            num_attention_heads = heads,
            num_key_value_heads = kvHeads,
            head_dim = headDim,
            hidden_act = activation,
            max_position_embeddings = 64,
            rms_norm_eps = 1e-5,
            rope_theta = 10000.0,
            attention_bias = attentionBias,
            mlp_bias = mlpBias,
            sliding_window = window,
        }));
        int[] ids = [.. Enumerable.Range(0, 23).Select(i => i * 7 % vocabulary)];
        using var checkpoint = Checkpoint.Open(_folder.Path);
        NaiveLlama naive = new(checkpoint, heads, kvHeads, headDim, 10000, 1e-5, Naive(activation), window);
        double[] expected = [.. naive.Logits(ids).SelectMany(row => row)];

        using LoadedModel model = LoadedModel.Load(_folder.Path, new LoadOptions { Backbone = DType.F32 });
        using PagedRun run = new(model.Backbone!, ids.Length);
        float[] actual = run.Logits(ids, 10, 1, 12);

        double error = Math.Sqrt(actual.Zip(expected, (a, e) => (a - e) * (a - e)).Sum() / expected.Sum(e => e * e));
        Assert.InRange(error, 0, 2e-6);
        Assert.Equal(new BackboneSpec(vocabulary, hidden, hidden, hidden, 2, kvHeads, headDim, 64), model.Backbone!.Spec);
    }

    private static Func<double, double> Naive(string activation) => activation switch
    {
        "silu" => x => x / (1 + Math.Exp(-x)),
        "relu" => x => Math.Max(x, 0),
        "gelu" => x => x * 0.5 * (1 + Erf(x / Math.Sqrt(2))),
        _ => x => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
    };

    // erf by its series, to double precision for the small arguments here.
    private static double Erf(double x)
    {
        double sum = 0;
        double term = x;
        for (int n = 0; n < 200; n++)
        {
            sum += term / ((2 * n) + 1);
            term *= -x * x / (n + 1);
        }
        return sum * 2 / Math.Sqrt(Math.PI);
    }

    private void Write(int hidden, int heads, int kvHeads, int headDim, int intermediate, int vocabulary, bool attentionBias, bool mlpBias)
    {
        List<(string, long[], float[])> tensors = [Random("model.embed_tokens.weight", vocabulary, hidden), Random("lm_head.weight", vocabulary, hidden), Random("model.norm.weight", hidden)];
        for (int layer = 0; layer < 2; layer++)
        {
            string at = $"model.layers.{layer}.";
            tensors.AddRange([Random(at + "input_layernorm.weight", hidden), Random(at + "post_attention_layernorm.weight", hidden)]);
            foreach ((string name, int rows, int columns, bool bias) in new[]
            {
                ("self_attn.q_proj", heads * headDim, hidden, attentionBias), ("self_attn.k_proj", kvHeads * headDim, hidden, attentionBias),
                ("self_attn.v_proj", kvHeads * headDim, hidden, attentionBias), ("self_attn.o_proj", hidden, heads * headDim, attentionBias),
                ("mlp.gate_proj", intermediate, hidden, mlpBias), ("mlp.up_proj", intermediate, hidden, mlpBias), ("mlp.down_proj", hidden, intermediate, mlpBias),
            })
            {
                tensors.Add(Random($"{at}{name}.weight", rows, columns));
                if (bias)
                {
                    tensors.Add(Random($"{at}{name}.bias", rows));
                }
            }
        }
        _folder.Write("model.safetensors", SafetensorsWriter.F32([.. tensors]));
    }

    private (string, long[], float[]) Random(string name, params int[] shape)
    {
        int count = shape.Aggregate((a, b) => a * b);
        double scale = shape.Length == 2 ? 1 / Math.Sqrt(shape[1]) : 0.3;
        return (name, [.. shape.Select(size => (long)size)], [.. Enumerable.Range(0, count).Select(_ => (float)((_random.NextDouble() - 0.5) * 3.4 * scale) + (shape.Length == 1 ? 0.5f : 0))]);
    }
}
