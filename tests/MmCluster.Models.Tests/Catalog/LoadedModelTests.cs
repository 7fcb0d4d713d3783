using System.Text.Json.Nodes;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Tensors;

namespace MmCluster.Models.Tests.Catalog;

public sealed class LoadedModelTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void An_unknown_architecture_is_named_with_the_known_ones()
    {
        GoldenCopy.To(_folder, "llama_gqa");
        GoldenCopy.Edit(_folder, "config.json", config => config["architectures"] = new JsonArray("LlamaForCooking"));
        var error = Assert.Throws<NotSupportedException>(() => Load());
        Assert.StartsWith($"{_folder.File("config.json")}: architecture 'LlamaForCooking' is not known; known: Blip2ForConditionalGeneration, CLIPModel", error.Message);
    }

    [Fact]
    public void Missing_unread_and_wrongly_shaped_tensors_are_listed_in_one_error()
    {
        GoldenCopy.To(_folder, "llama_gqa");
        GoldenCopy.RenameKeys(_folder, "model.safetensors", key => key switch
        {
            "model.norm.weight" => null,
            "model.layers.1.mlp.up_proj.weight" => "model.layers.1.mlp.upward_proj.weight",
            _ => key,
        });
        GoldenCopy.Edit(_folder, "config.json", config => config["num_key_value_heads"] = 4);

        var error = Assert.Throws<InvalidDataException>(() => Load());

        Assert.StartsWith($"{_folder.Path}: the weights do not fit the configuration", error.Message);
        Assert.Contains("missing (2): model.layers.1.mlp.up_proj.weight, model.norm.weight", error.Message);
        Assert.Contains("wrong shape (6): model.layers.0.self_attn.k_proj.weight is [32, 64], expected [64, 64]", error.Message);
        Assert.Contains("unread (1): model.layers.1.mlp.upward_proj.weight", error.Message);
    }

    [Fact]
    public void Known_buffers_may_be_in_the_file()
    {
        GoldenCopy.To(_folder, "llama_gqa");
        GoldenCopy.RenameKeys(_folder, "model.safetensors", key => key);
        string model = _folder.File("model.safetensors");
        string buffers = _folder.Write("extra.safetensors", SafetensorsWriter.F32(("model.layers.0.self_attn.rotary_emb.inv_freq", [8], new float[8])));
        File.Move(model, _folder.File("first.safetensors"));
        JsonObject map = [];
        using (var checkpoint = Models.Checkpoints.Checkpoint.Open(_folder.File("first.safetensors")))
        {
            foreach (string key in checkpoint.Tensors.Keys)
            {
                map[key] = "first.safetensors";
            }
        }
        map["model.layers.0.self_attn.rotary_emb.inv_freq"] = Path.GetFileName(buffers);
        _folder.Write("model.safetensors.index.json", new JsonObject { ["weight_map"] = map }.ToJsonString());
        using LoadedModel loaded = Load();
        Assert.NotNull(loaded.Backbone);
    }

    [Fact]
    public void A_tied_head_that_is_in_the_file_with_other_values_is_used()
    {
        GoldenCopy.To(_folder, "llama_gqa");
        using LoadedModel tied = Load();
        GoldenCopy.RenameKeys(_folder, "model.safetensors", key => key);
        using (FileStream file = File.Open(_folder.File("model.safetensors"), FileMode.Open))
        {
            Assert.True(file.Length > 0);
        }
        string source = Repository.Golden("qwen2"); // the same sizes, untied
        File.Copy(Path.Combine(source, "model.safetensors"), _folder.File("model.safetensors"), overwrite: true);
        GoldenCopy.Edit(_folder, "config.json", config =>
        {
            config["tie_word_embeddings"] = true;
            config["model_type"] = "qwen2";
            config["architectures"] = new JsonArray("Qwen2ForCausalLM");
        });
        using LoadedModel untied = Load();
        using var scope = new TensorScope();
        Tensor ids = Tensor.Of(5);
        Tensor row = untied.Backbone!.Embed(ids);
        Assert.NotEqual(tied.Backbone!.Logits(row).ToArray<float>(), untied.Backbone.Logits(row).ToArray<float>());
    }

    [Fact]
    public void Stages_load_alone_and_together_give_what_the_whole_gives()
    {
        using LoadedModel encoder = Load("llava15", component => component.Kind is ComponentKind.Encoder or ComponentKind.Projector);
        using LoadedModel backbone = Load("llava15", component => component.Kind == ComponentKind.Backbone);
        using LoadedModel whole = Load("llava15", null);
        using var scope = new TensorScope();
        Tensor pixels = Tensor.Full([1, 3, 42, 42], 0.5);

        Assert.Null(encoder.Backbone);
        Assert.Empty(backbone.Paths);
        Assert.Equal(9, encoder.Paths[0].Positions);
        Assert.Equal(backbone.Backbone!.Spec.EmbeddingSize, encoder.Paths[0].Width);
        Assert.Equal(whole.Paths[0].Features(pixels).ToArray<float>(), encoder.Paths[0].Features(pixels).ToArray<float>());
        Assert.Equal(319, whole.SpecialTokens.Media);
        Assert.Equal([2], whole.SpecialTokens.Eos);
    }

    [Theory]
    [InlineData("full", "-2", 10, 64)]
    [InlineData("default", "[-2, 0, 4]", 9, 192)]
    public void Feature_layers_and_selection_come_from_the_configuration(string select, string layers, int positions, int width)
    {
        GoldenCopy.To(_folder, "llava15");
        GoldenCopy.Edit(_folder, "config.json", config =>
        {
            config["vision_feature_select_strategy"] = select;
            config["vision_feature_layer"] = JsonNode.Parse(layers);
        });
        using LoadedModel model = LoadedModel.Load(_folder.Path, new LoadOptions { Backbone = DType.F32, Components = component => component.Kind == ComponentKind.Encoder });
        using var scope = new TensorScope();
        Tensor features = model.Paths[0].Encoder.Encode(Tensor.Full([2, 3, 42, 42], 0.1));
        Assert.Equal([2, positions, width], features.Shape.AsSpan().ToArray());
        Assert.Equal(positions, model.Paths[0].Positions);
    }

    [Fact]
    public void The_shipped_llava_card_and_the_folders_own_configuration_mean_the_same()
    {
        ModelCard card = CardReader.Read(Path.Combine(Repository.Root, "models", "llava-1.5.yaml"));
        using LoadedModel byCard = LoadedModel.Load(Repository.Golden("llava15"), new LoadOptions { Backbone = DType.F32 }, card);
        using LoadedModel byConfig = Load("llava15", null);
        using var scope = new TensorScope();
        Tensor pixels = Tensor.Full([1, 3, 42, 42], 0.3);
        Assert.Equal(byConfig.Paths[0].Features(pixels).ToArray<float>(), byCard.Paths[0].Features(pixels).ToArray<float>());
    }

    [Theory]
    [InlineData("\"num_attention_heads\":4", "\"num_attention_heads\":3", "does not divide")]
    [InlineData("\"hidden_size\":64", "\"hidden_size\":-64", "hidden_size is -64")]
    [InlineData("\"hidden_size\":64", "\"hidden_size\":\"64\"", "expected a whole number")]
    [InlineData("\"num_hidden_layers\":3", "\"num_hidden_layers\":900000000", "num_hidden_layers is 900000000, at most 4096")]
    [InlineData("\"max_position_embeddings\":256", "\"max_position_embeddings\":1000000000", "max_position_embeddings is 1000000000, at most")]
    [InlineData("\"vocab_size\":320", "\"vocab_size\":2000000000", "vocab_size is 2000000000")]
    public void Impossible_configurations_are_refused_naming_the_file(string right, string wrong, string message)
    {
        GoldenCopy.To(_folder, "llama_gqa");
        GoldenCopy.Edit(_folder, "config.json", _ => { });
        string config = File.ReadAllText(_folder.File("config.json"));
        Assert.Contains(right, config);
        File.WriteAllText(_folder.File("config.json"), config.Replace(right, wrong));
        var error = Assert.Throws<InvalidDataException>(() => Load());
        Assert.StartsWith(_folder.File("config.json"), error.Message);
        Assert.Contains(message, error.Message);
    }

    [Fact]
    public void A_shorter_longest_sequence_can_be_asked_for()
    {
        using LoadedModel model = LoadedModel.Load(Repository.Golden("llama_gqa"), new LoadOptions { Backbone = DType.F32, MaxModelLength = 40 });
        Assert.Equal(40, model.Backbone!.Spec.MaxLength);
    }

    private LoadedModel Load() => LoadedModel.Load(_folder.Path, new LoadOptions { Backbone = DType.F32 });

    private static LoadedModel Load(string name, Func<ComponentCard, bool>? components) =>
        LoadedModel.Load(Repository.Golden(name), new LoadOptions { Backbone = DType.F32, Components = components });
}
