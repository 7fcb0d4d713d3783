using System.Text.Json;
using MmCluster.Tokenizers.Config;

namespace MmCluster.Tokenizers.Tests;

/// <summary>The files beside the vocabulary.</summary>
public sealed class ConfigTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("config").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Generation_settings_are_read()
    {
        Write("generation_config.json", """
            {"eos_token_id": [128001, 128009], "bos_token_id": 1, "pad_token_id": -1, "do_sample": true, "temperature": 0.6,
             "top_k": 50, "top_p": 0.9, "min_p": 0.05, "repetition_penalty": 1.1, "max_new_tokens": 256, "transformers_version": "5"}
            """);
        GenerationConfig config = GenerationConfig.FromFolder(_folder);
        Assert.Equal([128001, 128009], config.EosTokenIds);
        Assert.Equal((1, null, true, 0.6, 50), (config.BosTokenId, config.PadTokenId, config.DoSample, config.Temperature, config.TopK));
        Assert.Equal((0.9, 0.05, 1.1, 256), (config.TopP, config.MinP, config.RepetitionPenalty, config.MaxNewTokens));
    }

    [Fact]
    public void One_eos_id_and_none_at_all_are_fine()
    {
        Write("generation_config.json", """{"eos_token_id": 2, "temperature": null}""");
        Assert.Equal([2], GenerationConfig.FromFolder(_folder).EosTokenIds);
        Assert.Null(GenerationConfig.FromFolder(_folder).Temperature);
        File.Delete(Path.Combine(_folder, "generation_config.json"));
        Assert.Equal(GenerationConfig.Empty, GenerationConfig.FromFolder(_folder));
    }

    [Theory]
    [InlineData("""{"top_p": 1.5}""", "top_p")]
    [InlineData("""{"temperature": -1}""", "temperature")]
    [InlineData("""{"eos_token_id": "x"}""", "eos_token_id")]
    [InlineData("""{"max_new_tokens": 0}""", "max_new_tokens")]
    public void A_setting_out_of_range_is_named(string json, string key)
    {
        Write("generation_config.json", json);
        var error = Assert.Throws<InvalidDataException>(() => GenerationConfig.FromFolder(_folder));
        Assert.Contains(key, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Roles_of_tokens_come_from_the_configuration_before_the_map()
    {
        CopyModel("sp_bpe_llama");
        Write("special_tokens_map.json", """{"bos_token": "<s>", "eos_token": {"content": "<old>"}, "additional_special_tokens": ["<x>"]}""");
        Write("tokenizer_config.json", """
            {"eos_token": {"content": "</s>", "lstrip": false}, "pad_token": null, "image_token": "<image>", "model_max_length": 1e30,
             "added_tokens_decoder": {"1500": {"content": "<image>", "special": true}, "1501": {"content": "<x>", "special": false}}}
            """);
        Tokenizer tokenizer = Tokenizer.FromFolder(_folder);
        Assert.Equal((1, 2, null), (tokenizer.BosId, tokenizer.EosId, tokenizer.PadId));
        Assert.Equal("<image>", tokenizer.Config.NamedTokens["image_token"]);
        Assert.Null(tokenizer.Config.ModelMaxLength);
        Assert.Equal((1500, 1501, 1502), (tokenizer.IdOf("<image>"), tokenizer.IdOf("<x>"), tokenizer.VocabularySize));
        Assert.Superset(new HashSet<int> { 1, 2, 1500, 1501 }, tokenizer.SpecialIds.ToHashSet());
        Assert.Equal([1500], tokenizer.Encode("<image>", addSpecialTokens: false, parseSpecial: true));
        Assert.DoesNotContain(1500, tokenizer.Encode("<image>", addSpecialTokens: false));
        Assert.Equal("<image>", tokenizer.Decode([1500], skipSpecialTokens: false));
        Assert.Equal("", tokenizer.Decode([1500]));
    }

    [Fact]
    public void Added_tokens_extend_a_model_file()
    {
        CopyModel("sp_bpe_llama");
        Write("added_tokens.json", """{"<image>": 1500}""");
        Assert.Equal([1500], Tokenizer.FromFolder(_folder).Encode("<image>", addSpecialTokens: false));
        Write("added_tokens.json", """{"<image>": 99999999}""");
        Assert.Throws<InvalidDataException>(() => Tokenizer.FromFolder(_folder));
    }

    [Theory]
    [InlineData("{}", true, false)]
    [InlineData("""{"add_bos_token": false, "add_eos_token": true}""", false, true)]
    [InlineData("""{"tokenizer_class": "T5Tokenizer"}""", false, true)]
    public void Flags_decide_what_stands_around_a_text(string config, bool bos, bool eos)
    {
        CopyModel("sp_bpe_llama");
        Write("tokenizer_config.json", config);
        int[] ids = Tokenizer.FromFolder(_folder).Encode("hi");
        Assert.Equal((bos, eos), (ids[0] == 1, ids[^1] == 2));
    }

    [Fact]
    public void The_dummy_space_stands_before_the_first_text_only_when_the_behaviour_is_not_legacy()
    {
        CopyModel("sp_bpe_llama");
        Write("added_tokens.json", """{"<image>": 1500}""");
        int[] legacy = Tokenizer.FromFolder(_folder).Encode("in<image>in", addSpecialTokens: false);
        Write("tokenizer_config.json", """{"legacy": false}""");
        int[] modern = Tokenizer.FromFolder(_folder).Encode("in<image>in", addSpecialTokens: false);
        int at = Array.IndexOf(legacy, 1500);
        Assert.Equal(legacy[..at], legacy[(at + 1)..]);
        Assert.NotEqual(modern[..at], modern[(at + 1)..]);
    }

    [Fact]
    public void Templates_come_by_name_and_files_of_their_own_win()
    {
        CopyModel("sp_bpe_llama");
        Write("tokenizer_config.json", """{"chat_template": [{"name": "default", "template": "d"}, {"name": "tool_use", "template": "t{{ bos_token }}"}]}""");
        Tokenizer tokenizer = Tokenizer.FromFolder(_folder);
        ChatTemplateInput input = ChatTemplateInput.FromText([]);
        Assert.Equal("d", tokenizer.RenderChat(input).Text);
        Assert.Equal("t<s>", tokenizer.RenderChat(input with { Tools = JsonDocument.Parse("[]").RootElement }).Text);
        Assert.Contains("tool_use", Assert.Throws<InvalidDataException>(() => tokenizer.ChatTemplate("x")).Message, StringComparison.Ordinal);

        Write("chat_template.json", """{"chat_template": "json"}""");
        Assert.Equal("json", Tokenizer.FromFolder(_folder).RenderChat(input).Text);
        Write("chat_template.jinja", "jinja");
        Assert.Equal("jinja", Tokenizer.FromFolder(_folder).RenderChat(input).Text);
    }

    [Fact]
    public void A_checkpoint_without_template_says_so()
    {
        CopyModel("sp_bpe_llama");
        var error = Assert.Throws<InvalidDataException>(() => Tokenizer.FromFolder(_folder).RenderChat(ChatTemplateInput.FromText([])));
        Assert.Contains("no chat template", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_llama_classes_build_their_own_template()
    {
        File.Copy(Path.Combine(GoldenFolders.Tokenizer("bpe_bytefallback_llama"), "tokenizer.json"), Path.Combine(_folder, "tokenizer.json"));
        Write("tokenizer_config.json", """{"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "add_bos_token": false, "add_eos_token": true}""");
        int[] ids = Tokenizer.FromFolder(_folder).Encode("hi");
        Assert.Equal((false, true), (ids[0] == 1, ids[^1] == 2));
    }

    private void Write(string name, string content) => File.WriteAllText(Path.Combine(_folder, name), content);

    private void CopyModel(string name) =>
        File.Copy(Path.Combine(GoldenFolders.Tokenizer(name), "tokenizer.model"), Path.Combine(_folder, "tokenizer.model"));
}
