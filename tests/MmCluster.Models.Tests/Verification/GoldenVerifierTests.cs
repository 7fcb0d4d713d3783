using System.Text.Json.Nodes;
using MmCluster.Models.Verification;

namespace MmCluster.Models.Tests.Verification;

public sealed class GoldenVerifierTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("llama_gqa", "greedy hidden_1 last_hidden logits")]
    [InlineData("qwen2", "greedy hidden_1 last_hidden logits")]
    [InlineData("opt", "greedy hidden_1 last_hidden logits")]
    [InlineData("opt_350m_style", "greedy hidden_1 last_hidden logits")]
    [InlineData("flan_t5", "encoder greedy logits")]
    [InlineData("clip_vision", "last_hidden penultimate pooled")]
    [InlineData("llava15", "greedy image_features logits")]
    [InlineData("blip2_opt", "greedy logits qformer vision")]
    [InlineData("instructblip_flan_t5", "greedy logits qformer")]
    [InlineData("clip_text", "last_hidden pooled")]
    [InlineData("clip_text_masked", "hidden_1 last_hidden penultimate pooled")]
    [InlineData("instructblip_words_masked", "greedy logits qformer vision")]
    [InlineData("llava_tied_outside", "greedy image_features logits")]
    [InlineData("mistral_window_masked", "greedy hidden_0 hidden_1 last_hidden logits")]
    [InlineData("opt_masked", "greedy hidden_0 hidden_1 last_hidden logits")]
    [InlineData("qwen2_window_padded", "greedy hidden_0 hidden_1 last_hidden logits")]
    [InlineData("t5_decoder_masked", "encoder greedy hidden_1 last_hidden logits")]
    public void Networks_give_what_the_reference_gives(string name, string outputs)
    {
        CaseResult result = Assert.Single(GoldenVerifier.Verify(Repository.Golden(name), new VerifyOptions()));

        Assert.True(result.Status == CaseStatus.Ok, result.Reason);
        Assert.Equal(name, result.Name);
        Assert.Equal(outputs, string.Join(' ', result.Outputs.Select(output => output.Output)));
        Assert.InRange(result.WorstError!.Value, 1e-12, 1e-5);
    }

    [Fact]
    public void The_same_weights_in_bfloat16_stay_within_its_tolerance()
    {
        VerifyOptions options = new() { Matrices = Tensors.DType.BF16 };
        CaseResult result = Assert.Single(GoldenVerifier.Verify(Repository.Golden("llava15"), options));
        Assert.True(result.Status == CaseStatus.Ok, result.Reason);
    }

    [Theory]
    [InlineData(Tensors.DType.F32)]
    [InlineData(Tensors.DType.BF16)]
    public void A_gpu_gives_what_the_reference_gives(Tensors.DType matrices)
    {
        Assert.SkipWhen(Tensors.Device.CudaCount == 0, "no NVIDIA GPU");
        VerifyOptions options = new() { Matrices = matrices, Device = Tensors.Device.Cuda(0) };
        CaseResult[] results = [.. GoldenVerifier.Verify(Path.Combine(Repository.Root, "tests", "goldens"), options)];
        Assert.All(results, result => Assert.True(result.Status != CaseStatus.Fail, $"{result.Name}: {result.Reason}"));
        Assert.Contains(results, result => result.Status == CaseStatus.Ok);
    }

    [Fact]
    public void Logits_are_scaled_where_the_configuration_says_so()
    {
        CopyGolden("flan_t5");
        Edit("config.json", config => config["scale_decoder_outputs"] = true);
        CaseResult result = Assert.Single(GoldenVerifier.Verify(_folder.Path, new VerifyOptions()));
        Assert.Equal(0.875, result.Outputs.Single(output => output.Output == "logits").Error, 1e-5); // 64^-0.5 of the reference
        Assert.Equal(0, result.Outputs.Single(output => output.Output == "greedy").Error);
    }

    [Theory]
    [InlineData("llama_gqa")]
    [InlineData("t5_decoder_masked")]
    public void Outputs_of_one_state_do_not_need_the_states_before_it(string name)
    {
        CopyGolden(name);
        GoldenCopy.RenameKeys(_folder, "io.safetensors", key => key.StartsWith("out.hidden_", StringComparison.Ordinal) ? null : key);
        CaseResult result = Assert.Single(GoldenVerifier.Verify(_folder.Path, new VerifyOptions()));
        Assert.True(result.Status == CaseStatus.Ok, result.Reason);
    }

    [Fact]
    public void An_instruction_for_another_number_of_pictures_is_named()
    {
        CopyGolden("instructblip_words_masked");
        byte[] file = File.ReadAllBytes(_folder.File("io.safetensors"));
        int at = file.AsSpan().IndexOf("\"in.qformer_input_ids\""u8);
        int shape = at + file.AsSpan(at).IndexOf("[2,6]"u8);
        (file[shape + 1], file[shape + 3]) = (file[shape + 3], file[shape + 1]);
        File.WriteAllBytes(_folder.File("io.safetensors"), file);
        CaseResult result = Assert.Single(GoldenVerifier.Verify(_folder.Path, new VerifyOptions()));
        Assert.Equal((CaseStatus.Fail, $"{_folder.Path}: in.qformer_input_ids has 6 rows for 2 pictures"), (result.Status, result.Reason));
    }

    [Fact]
    public void An_output_that_no_network_has_fails()
    {
        CopyGolden("clip_vision");
        RenameOutput("out.pooled", "out.poolex");
        CaseResult result = Assert.Single(GoldenVerifier.Verify(_folder.Path, new VerifyOptions()));
        Assert.Equal(CaseStatus.Fail, result.Status);
        Assert.Equal("poolex: unknown output", result.Reason);
    }

    [Fact]
    public void A_value_that_differs_fails_and_is_named()
    {
        CopyGolden("clip_vision");
        string config = _folder.File("config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("quick_gelu", "gelu"));
        CaseResult result = Assert.Single(GoldenVerifier.Verify(_folder.Path, new VerifyOptions()));
        Assert.Equal(CaseStatus.Fail, result.Status);
        Assert.Contains("last_hidden: ", result.Reason);
        Assert.InRange(result.WorstError!.Value, 1e-4, 1);
    }

    [Fact]
    public void A_class_without_network_is_unsupported_and_the_known_ones_are_named()
    {
        CopyGolden("clip_vision");
        Edit("config.json", config => config["architectures"] = new JsonArray("SomethingElse"));
        CaseResult result = Assert.Single(GoldenVerifier.Verify(_folder.Path, new VerifyOptions()));
        Assert.Equal(CaseStatus.Unsupported, result.Status);
        Assert.Contains("class SomethingElse; known: Blip2ForConditionalGeneration, CLIPTextModel", result.Reason);
    }

    [Fact]
    public void An_unknown_activation_is_unsupported_and_the_known_ones_are_named()
    {
        CopyGolden("clip_vision");
        Edit("config.json", config => config["hidden_act"] = "snake");
        CaseResult result = Assert.Single(GoldenVerifier.Verify(_folder.Path, new VerifyOptions()));
        Assert.Equal(CaseStatus.Unsupported, result.Status);
        Assert.Contains("'snake' is not known; known: gelu", result.Reason);
    }

    [Fact]
    public void A_damaged_case_fails_with_its_file()
    {
        CopyGolden("clip_vision");
        string model = _folder.File("model.safetensors");
        File.WriteAllBytes(model, File.ReadAllBytes(model)[..^100]);
        CaseResult result = Assert.Single(GoldenVerifier.Verify(_folder.Path, new VerifyOptions()));
        Assert.Equal(CaseStatus.Fail, result.Status);
        Assert.StartsWith(model, result.Reason);
    }

    [Fact]
    public void A_folder_of_cases_is_walked_in_order_and_a_folder_without_any_gives_none()
    {
        Directory.CreateDirectory(_folder.File("empty/deeper"));
        Assert.Empty(GoldenVerifier.Verify(_folder.Path, new VerifyOptions()));
        Assert.Throws<DirectoryNotFoundException>(() => GoldenVerifier.Verify(_folder.File("gone"), new VerifyOptions()));
        foreach (string name in new[] { "b", "a", "deeper/c" })
        {
            Directory.CreateDirectory(_folder.File(name));
            File.Copy(Path.Combine(Repository.Golden("clip_vision"), "io.safetensors"), _folder.File($"{name}/io.safetensors"));
        }
        Assert.Equal(["a", "b", "c"], GoldenVerifier.Verify(_folder.Path, new VerifyOptions()).Select(result => result.Name));
    }

    [Theory]
    [InlineData("language_model.model.", "model.language_model.", "language_model.lm_head.", "lm_head.", "vision_tower.", "model.vision_tower.", "multi_modal_projector.", "model.multi_modal_projector.")]
    [InlineData("vision_tower.", "vision_tower.vision_model.")]
    [InlineData("language_model.", "", "vision_tower.", "model.vision_tower.vision_tower.vision_model.", "multi_modal_projector.linear_1.", "model.mm_projector.0.", "multi_modal_projector.linear_2.", "model.mm_projector.2.")]
    public void Every_published_key_layout_of_llava_loads(params string[] changes)
    {
        CopyGolden("llava15");
        GoldenCopy.RenameKeys(_folder, "model.safetensors", key =>
        {
            int at = Enumerable.Range(0, changes.Length / 2).Select(i => i * 2).First(i => i + 2 >= changes.Length || key.StartsWith(changes[i], StringComparison.Ordinal));
            return key.StartsWith(changes[at], StringComparison.Ordinal) ? changes[at + 1] + key[changes[at].Length..] : key;
        });
        CaseResult result = Assert.Single(GoldenVerifier.Verify(_folder.Path, new VerifyOptions()));
        Assert.True(result.Status == CaseStatus.Ok, result.Reason);
    }

    [Theory]
    [InlineData("clip_vision", "", "vision_model.")]
    [InlineData("llama_gqa", "model.", "")]
    [InlineData("opt", "model.", "")]
    public void Key_layouts_with_and_without_prefix_load(string name, string prefix, string other)
    {
        CopyGolden(name);
        GoldenCopy.RenameKeys(_folder, "model.safetensors", key => key.StartsWith(prefix, StringComparison.Ordinal) ? other + key[prefix.Length..] : key);
        CaseResult result = Assert.Single(GoldenVerifier.Verify(_folder.Path, new VerifyOptions()));
        Assert.True(result.Status == CaseStatus.Ok, result.Reason);
    }

    [Fact]
    public void Old_configuration_names_mean_the_same_as_new_ones()
    {
        CopyGolden("llava15");
        Edit("config.json", config =>
        {
            JsonObject text = config["text_config"]!.AsObject();
            text.Remove("rope_parameters");
            text["rope_theta"] = 10000.0;
            text["rope_scaling"] = null;
            config["image_token_id"] = config["image_token_index"]!.DeepClone();
            config.Remove("image_token_index");
            config["torch_dtype"] = "float16";
        });
        CaseResult result = Assert.Single(GoldenVerifier.Verify(_folder.Path, new VerifyOptions()));
        Assert.True(result.Status == CaseStatus.Ok, result.Reason);
    }

    private void CopyGolden(string name) => GoldenCopy.To(_folder, name);

    private void Edit(string file, Action<JsonObject> change) => GoldenCopy.Edit(_folder, file, change);

    // Same length, so that the header's size stays.
    private void RenameOutput(string from, string to)
    {
        byte[] file = File.ReadAllBytes(_folder.File("io.safetensors"));
        int at = file.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(from));
        System.Text.Encoding.UTF8.GetBytes(to).CopyTo(file, at);
        File.WriteAllBytes(_folder.File("io.safetensors"), file);
    }
}
