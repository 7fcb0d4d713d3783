using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace MmCluster.Engine.Tests.Cpu;

/// <summary>A model folder with random weights, in the published form: config.json and model.safetensors.</summary>
internal sealed class TinyFolder : IDisposable
{
    private TinyFolder(string config, IEnumerable<(string Name, int[] Shape)> weights, int seed)
    {
        Path = Directory.CreateTempSubdirectory("mm-tiny-").FullName;
        File.WriteAllText(System.IO.Path.Combine(Path, "config.json"), config);
        WriteWeights(System.IO.Path.Combine(Path, "model.safetensors"), [.. weights], new Random(seed));
    }

    public string Path { get; }

    public static TinyFolder Llama(int vocabulary = 200, int layers = 3, int hidden = 48, int heads = 6, int kvHeads = 2, int intermediate = 80) => new(
        $$"""
        {"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":{{hidden}},"intermediate_size":{{intermediate}},
         "num_hidden_layers":{{layers}},"num_attention_heads":{{heads}},"num_key_value_heads":{{kvHeads}},"vocab_size":{{vocabulary}},
         "max_position_embeddings":512,"rms_norm_eps":1e-5,"rope_theta":10000.0,"hidden_act":"silu","tie_word_embeddings":false,
         "bos_token_id":1,"eos_token_id":2,"torch_dtype":"float32"}
        """,
        LlamaWeights("", vocabulary, layers, hidden, heads, kvHeads, intermediate),
        seed: 1);

    public void Dispose() => Directory.Delete(Path, recursive: true);

    private static IEnumerable<(string Name, int[] Shape)> LlamaWeights(string prefix, int vocabulary, int layers, int hidden, int heads, int kvHeads, int intermediate)
    {
        int head = hidden / heads;
        yield return ($"{prefix}model.embed_tokens.weight", [vocabulary, hidden]);
        for (int i = 0; i < layers; i++)
        {
            string layer = $"{prefix}model.layers.{i}.";
            yield return ($"{layer}input_layernorm.weight", [hidden]);
            yield return ($"{layer}self_attn.q_proj.weight", [hidden, hidden]);
            yield return ($"{layer}self_attn.k_proj.weight", [kvHeads * head, hidden]);
            yield return ($"{layer}self_attn.v_proj.weight", [kvHeads * head, hidden]);
            yield return ($"{layer}self_attn.o_proj.weight", [hidden, hidden]);
            yield return ($"{layer}post_attention_layernorm.weight", [hidden]);
            yield return ($"{layer}mlp.gate_proj.weight", [intermediate, hidden]);
            yield return ($"{layer}mlp.up_proj.weight", [intermediate, hidden]);
            yield return ($"{layer}mlp.down_proj.weight", [hidden, intermediate]);
        }
        yield return ($"{prefix}model.norm.weight", [hidden]);
        yield return ($"{prefix}lm_head.weight", [vocabulary, hidden]);
    }

    private static void WriteWeights(string path, (string Name, int[] Shape)[] weights, Random random)
    {
        Dictionary<string, object> header = [];
        long offset = 0;
        foreach ((string name, int[] shape) in weights)
        {
            long bytes = 4L * shape.Aggregate(1, (a, b) => a * b);
            header.Add(name, new { dtype = "F32", shape, data_offsets = new[] { offset, offset + bytes } });
            offset += bytes;
        }
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header);
        Array.Resize(ref json, (json.Length + 7) / 8 * 8);
        json.AsSpan().Replace((byte)0, (byte)' ');
        using FileStream file = File.Create(path);
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        file.Write(length);
        file.Write(json);
        foreach ((string name, int[] shape) in weights)
        {
            // Norms near 1, matrices wide enough for outputs that vary.
            bool norm = shape.Length == 1;
            float[] values = [.. Enumerable.Range(0, shape.Aggregate(1, (a, b) => a * b)).Select(_ => norm ? 1 : (random.NextSingle() - 0.5f) * 0.5f)];
            file.Write(MemoryMarshal.AsBytes<float>(values));
        }
    }
}
