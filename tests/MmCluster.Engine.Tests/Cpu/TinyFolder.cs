using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace MmCluster.Engine.Tests.Cpu;

/// <summary>A model folder with random weights, in the published form: config.json and model.safetensors.</summary>
internal sealed class TinyFolder : IDisposable
{
    private TinyFolder(string config)
    {
        Path = Directory.CreateTempSubdirectory("mm-tiny-").FullName;
        File.WriteAllText(System.IO.Path.Combine(Path, "config.json"), config);
    }

    private TinyFolder(string config, IEnumerable<(string Name, int[] Shape)> weights, int seed)
        : this(config)
    {
        WriteWeights(System.IO.Path.Combine(Path, "model.safetensors"), [.. weights], new Random(seed));
    }

    public string Path { get; }

    public static TinyFolder Llama(int vocabulary = 200, int layers = 3, int hidden = 48, int heads = 6, int kvHeads = 2, int intermediate = 80) => new(
        LlamaConfig(vocabulary, layers, hidden, heads, kvHeads, intermediate), LlamaWeights("", vocabulary, layers, hidden, heads, kvHeads, intermediate), seed: 1);

    /// <summary>The configuration alone, of a size that random weights in a file would be too large for.</summary>
    public static TinyFolder LlamaShape(int vocabulary, int layers, int hidden, int heads, int kvHeads, int intermediate) =>
        new(LlamaConfig(vocabulary, layers, hidden, heads, kvHeads, intermediate));

    public static TinyFolder T5() => new(
        """
        {"architectures":["T5ForConditionalGeneration"],"model_type":"t5","d_ff":64,"d_kv":8,"d_model":32,"num_layers":2,"num_decoder_layers":2,
         "num_heads":4,"relative_attention_num_buckets":32,"relative_attention_max_distance":128,"feed_forward_proj":"gated-gelu",
         "layer_norm_epsilon":1e-6,"tie_word_embeddings":true,"scale_decoder_outputs":false,"vocab_size":120,"decoder_start_token_id":0,"eos_token_id":1,
         "pad_token_id":0,"is_encoder_decoder":true}
        """,
        T5Weights(),
        seed: 2);

    /// <summary>A LLaVA with 9 image positions and a byte-level tokenizer of 259 tokens: bytes, then &lt;s&gt;, &lt;/s&gt;, &lt;image&gt;.</summary>
    public static TinyFolder Llava()
    {
        TinyFolder folder = new(
            """
            {"architectures":["LlavaForConditionalGeneration"],"model_type":"llava","image_token_index":258,"projector_hidden_act":"gelu",
             "vision_feature_layer":-2,"vision_feature_select_strategy":"default","tie_word_embeddings":false,
             "text_config":{"model_type":"llama","hidden_size":32,"intermediate_size":48,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,
               "vocab_size":260,"max_position_embeddings":512,"rms_norm_eps":1e-5,"hidden_act":"silu","bos_token_id":256,"eos_token_id":257},
             "vision_config":{"model_type":"clip_vision_model","hidden_size":24,"intermediate_size":40,"num_hidden_layers":2,"num_attention_heads":4,
               "image_size":42,"patch_size":14,"num_channels":3,"hidden_act":"quick_gelu","layer_norm_eps":1e-5}}
            """,
            LlavaWeights(),
            seed: 3);
        folder.WriteTokenizer();
        File.WriteAllText(System.IO.Path.Combine(folder.Path, "preprocessor_config.json"), """
            {"image_processor_type":"CLIPImageProcessor","do_resize":true,"size":{"shortest_edge":42},"resample":3,"do_center_crop":true,
             "crop_size":{"height":42,"width":42},"do_rescale":true,"rescale_factor":0.00392156862745098,"do_normalize":true,
             "image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5]}
            """);
        return folder;
    }

    /// <summary>A picture file of one colour.</summary>
    public static byte[] Picture(byte red, byte green, byte blue, int side = 50)
    {
        int row = ((side * 3) + 3) / 4 * 4;
        byte[] file = new byte[54 + (row * side)];
        "BM"u8.CopyTo(file);
        foreach ((int at, int value) in new[] { (2, file.Length), (10, 54), (14, 40), (18, side), (22, side), (26, 1 | (24 << 16)), (34, row * side) })
        {
            BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
        }
        for (int i = 54; i + 2 < file.Length; i += 3)
        {
            (file[i], file[i + 1], file[i + 2]) = (blue, green, red);
        }
        return file;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);

    private static string LlamaConfig(int vocabulary, int layers, int hidden, int heads, int kvHeads, int intermediate) => $$"""
        {"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":{{hidden}},"intermediate_size":{{intermediate}},
         "num_hidden_layers":{{layers}},"num_attention_heads":{{heads}},"num_key_value_heads":{{kvHeads}},"vocab_size":{{vocabulary}},
         "max_position_embeddings":512,"rms_norm_eps":1e-5,"rope_theta":10000.0,"hidden_act":"silu","tie_word_embeddings":false,
         "bos_token_id":1,"eos_token_id":2,"torch_dtype":"float32"}
        """;

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

    private static IEnumerable<(string Name, int[] Shape)> T5Weights()
    {
        yield return ("shared.weight", [120, 32]);
        foreach ((string side, int mlp) in new[] { ("encoder", 1), ("decoder", 2) })
        {
            for (int i = 0; i < 2; i++)
            {
                string block = $"{side}.block.{i}.layer.";
                foreach (string attention in mlp == 1 ? new[] { "0.SelfAttention" } : ["0.SelfAttention", "1.EncDecAttention"])
                {
                    foreach (string matrix in new[] { "q", "k", "v", "o" })
                    {
                        yield return ($"{block}{attention}.{matrix}.weight", [32, 32]);
                    }
                    yield return ($"{block}{attention[0]}.layer_norm.weight", [32]);
                }
                if (i == 0)
                {
                    yield return ($"{block}0.SelfAttention.relative_attention_bias.weight", [32, 4]);
                }
                yield return ($"{block}{mlp}.DenseReluDense.wi_0.weight", [64, 32]);
                yield return ($"{block}{mlp}.DenseReluDense.wi_1.weight", [64, 32]);
                yield return ($"{block}{mlp}.DenseReluDense.wo.weight", [32, 64]);
                yield return ($"{block}{mlp}.layer_norm.weight", [32]);
            }
            yield return ($"{side}.final_layer_norm.weight", [32]);
        }
    }

    private static IEnumerable<(string Name, int[] Shape)> LlavaWeights()
    {
        foreach ((string name, int[] shape) in LlamaWeights("language_model.", 260, 2, 32, 4, 2, 48))
        {
            yield return (name, shape);
        }
        foreach ((string name, int rows, int columns) in new[] { ("linear_1", 32, 24), ("linear_2", 32, 32) })
        {
            yield return ($"multi_modal_projector.{name}.weight", [rows, columns]);
            yield return ($"multi_modal_projector.{name}.bias", [rows]);
        }
        yield return ("vision_tower.embeddings.class_embedding", [24]);
        yield return ("vision_tower.embeddings.patch_embedding.weight", [24, 3, 14, 14]);
        yield return ("vision_tower.embeddings.position_embedding.weight", [10, 24]);
        for (int i = 0; i < 2; i++)
        {
            string layer = $"vision_tower.encoder.layers.{i}.";
            foreach ((string name, int rows, int columns) in new[]
            {
                ("self_attn.q_proj", 24, 24), ("self_attn.k_proj", 24, 24), ("self_attn.v_proj", 24, 24), ("self_attn.out_proj", 24, 24),
                ("mlp.fc1", 40, 24), ("mlp.fc2", 24, 40),
            })
            {
                yield return ($"{layer}{name}.weight", [rows, columns]);
                yield return ($"{layer}{name}.bias", [rows]);
            }
            foreach (string norm in new[] { "layer_norm1", "layer_norm2" })
            {
                yield return ($"{layer}{norm}.weight", [24]);
                yield return ($"{layer}{norm}.bias", [24]);
            }
        }
        foreach (string norm in new[] { "pre_layrnorm", "post_layernorm" })
        {
            yield return ($"vision_tower.{norm}.weight", [24]);
            yield return ($"vision_tower.{norm}.bias", [24]);
        }
    }

    private void WriteTokenizer()
    {
        Dictionary<string, int> vocabulary = [];
        int next = 256;
        for (int value = 0; value < 256; value++)
        {
            bool visible = value is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            vocabulary.Add(((char)(visible ? value : next++)).ToString(), value);
        }
        object[] added = [.. new[] { "<s>", "</s>", "<image>" }.Select((content, i) => new
        {
            id = 256 + i, content, single_word = false, lstrip = false, rstrip = false, normalized = false, special = true,
        })];
        File.WriteAllText(System.IO.Path.Combine(Path, "tokenizer.json"), JsonSerializer.Serialize(new
        {
            version = "1.0",
            added_tokens = added,
            pre_tokenizer = new { type = "ByteLevel", add_prefix_space = false, trim_offsets = true, use_regex = false },
            decoder = new { type = "ByteLevel", add_prefix_space = true, trim_offsets = true, use_regex = true },
            model = new { type = "BPE", vocab = vocabulary, merges = Array.Empty<string>() },
        }));
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
