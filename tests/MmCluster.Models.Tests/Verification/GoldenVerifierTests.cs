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
        Assert.Contains("class SomethingElse; known: CLIPVisionModel", result.Reason);
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
        string root = Path.Combine(Repository.Root, "tests", "goldens");
        string[] names = [.. GoldenVerifier.Verify(root, new VerifyOptions()).Select(result => result.Name)];
        Assert.Equal(names.Order(StringComparer.Ordinal), names);
        Assert.Contains("llava15", names);
    }

    private void CopyGolden(string name)
    {
        foreach (string file in Directory.GetFiles(Repository.Golden(name)))
        {
            File.Copy(file, _folder.File(Path.GetFileName(file)));
        }
    }

    private void Edit(string file, Action<JsonObject> change)
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(_folder.File(file)))!.AsObject();
        change(json);
        File.WriteAllText(_folder.File(file), json.ToJsonString());
    }

    // Same length, so that the header's size stays.
    private void RenameOutput(string from, string to)
    {
        byte[] file = File.ReadAllBytes(_folder.File("io.safetensors"));
        int at = file.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(from));
        System.Text.Encoding.UTF8.GetBytes(to).CopyTo(file, at);
        File.WriteAllBytes(_folder.File("io.safetensors"), file);
    }
}
