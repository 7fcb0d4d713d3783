using MmCluster.Models.Cards;

namespace MmCluster.Models.Tests.Cards;

public sealed class CardReaderTests
{
    private const string Good = """
        schema: 1
        name: two-parts
        components:
          eye:
            kind: encoder
            modality: image
            network: clip_vision
            config: { feature_layer: -2, feature_select: default }
          bridge:
            kind: projector
            network: mlp_projector
            from: eye
          mind:
            kind: backbone
            network: llama
            from: [bridge]
            prefix: language_model
            keys:
              "model.old.": "model."
        prompt:
          user: "USER: {content} "
          generate: "ASSISTANT:"
        """;

    [Fact]
    public void A_card_is_read_whole()
    {
        ModelCard card = CardReader.Parse(Good, "two.yaml");

        Assert.Equal(["eye", "bridge", "mind"], card.Components.Select(component => component.Name));
        Assert.Equal("mind", card.Backbone!.Name);
        Assert.Equal("language_model.", card.Backbone.Prefix);
        Assert.Equal("model.x", card.Backbone.Keys.Map("model.old.x"));
        Assert.Equal(-2, card.Components[0].Config!.Value.GetProperty("feature_layer").GetInt32());
        Assert.Equal("ASSISTANT:", card.Prompt.Generate);
    }

    [Theory]
    [InlineData("network: llama", "netwrk: llama", "two.yaml(14): network is missing")]
    [InlineData("prefix: language_model", "prefx: language_model", "two.yaml(17): unknown key 'prefx'; known here: config, config_section")]
    [InlineData("name: two-parts", "name: two/parts", "two.yaml(2): name: 'two/parts' may hold only")]
    [InlineData("schema: 1", "schema: 2", "two.yaml(1): schema: '2' is not known; known: 1")]
    [InlineData("kind: backbone", "kind: brain", "two.yaml(14): kind: 'brain' is not known; known: encoder")]
    [InlineData("from: eye", "from: ear", "two.yaml(10): from 'ear': there is no such component; known: eye, bridge, mind")]
    [InlineData("from: eye", "from: mind", "two.yaml(10): backbone 'mind' cannot feed projector 'bridge'")]
    [InlineData("from: eye", "from: bridge", "two.yaml(10): 'bridge' feeds itself")]
    [InlineData("from: [bridge]", "from: []", "two.yaml(10): projector 'bridge' feeds nothing")]
    [InlineData("    modality: image\n", "", "two.yaml(5): encoder 'eye' needs a modality")]
    [InlineData("modality: image", "modality: smell", "two.yaml(6): modality: 'smell' is not known; known: image, video, audio, points")]
    [InlineData("{content} ", "no hole", "two.yaml(21): user: must hold {content} once")]
    [InlineData("generate:", "generat:", "two.yaml(22): unknown key 'generat'")]
    [InlineData("prompt:", "promt:", "two.yaml(20): unknown key 'promt'")]
    [InlineData("components:", "components: 5 #", "not YAML")]
    [InlineData("name: two-parts", "name: [", "not YAML")]
    public void A_wrong_card_is_refused_with_its_line(string right, string wrong, string message)
    {
        Assert.Contains(right, Good);
        var error = Assert.Throws<InvalidDataException>(() => CardReader.Parse(Good.Replace(right, wrong), "two.yaml"));
        Assert.StartsWith("two.yaml(", error.Message);
        Assert.Contains(message, error.Message);
    }

    [Fact]
    public void A_second_backbone_is_refused()
    {
        string yaml = "schema: 1\nname: x\ncomponents:\n  a: { kind: backbone, network: llama }\n  b: { kind: backbone, network: llama }\n";
        Assert.Equal("x.yaml(5): a second backbone; 'a' is one already", Assert.Throws<InvalidDataException>(() => CardReader.Parse(yaml, "x.yaml")).Message);
    }

    [Fact]
    public void Every_shipped_card_is_valid_and_bears_its_files_name()
    {
        string[] files = Directory.GetFiles(Path.Combine(Repository.Root, "models"), "*.yaml");
        Assert.NotEmpty(files);
        Assert.All(files, file => Assert.Equal(Path.GetFileNameWithoutExtension(file), CardReader.Read(file).Name));
    }
}
