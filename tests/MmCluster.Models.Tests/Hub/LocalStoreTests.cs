using MmCluster.Models.Hub;

namespace MmCluster.Models.Tests.Hub;

public sealed class LocalStoreTests : IDisposable
{
    private readonly LocalStore _store = new(Directory.CreateTempSubdirectory("mm-store-").FullName);

    [Theory]
    [InlineData("/own", "/cache", "/home/me", "/own/models")]
    [InlineData(null, "/cache", "/home/me", "/cache/mmcluster/models")]
    [InlineData(null, "relative", "/home/me", "/home/me/.cache/mmcluster/models")]
    [InlineData(null, null, "/home/me", "/home/me/.cache/mmcluster/models")]
    public void The_place_comes_from_the_environment(string? own, string? cache, string? home, string expected) =>
        Assert.Equal(expected, LocalStore.FromEnvironment(name => name switch
        {
            "MM_HOME" => own,
            "XDG_CACHE_HOME" => cache,
            "HOME" => home,
            _ => null,
        }).Root);

    [Fact]
    public void Without_any_variable_the_error_says_which_to_set() =>
        Assert.Contains("MM_HOME", Assert.Throws<MmException>(() => LocalStore.FromEnvironment(_ => null)).Message);

    [Fact]
    public void Folders_put_there_by_hand_are_models_and_others_are_not()
    {
        Directory.CreateDirectory(Path.Combine(_store.Root, "org--b", "sub"));
        File.WriteAllText(Path.Combine(_store.Root, "org--b", "sub", "x"), "12345");
        Directory.CreateDirectory(Path.Combine(_store.Root, "org--a--b"));
        Directory.CreateDirectory(Path.Combine(_store.Root, "nothing"));
        Directory.CreateDirectory(Path.Combine(_store.Root, "org--half", ".mm-pull"));
        Assert.Equal(["org/a--b", "org/b", "org/half"], _store.List().Select(model => model.Id.ToString()));
        StoredModel found = _store.Find("org/b")!;
        Assert.Equal((null, true, 5L), (found.Commit, found.IsComplete, found.Bytes));
        Assert.False(_store.Find("org/half")!.IsComplete);
        Assert.Null(_store.Find("org/c"));
        Assert.Null(_store.Find("nothing"));
        Assert.Null(_store.Find("../org--b"));
    }

    [Fact]
    public void A_store_that_does_not_exist_is_empty() => Assert.Empty(new LocalStore("/nowhere/at/all").List());

    [Theory]
    [InlineData("a")]
    [InlineData("a/b/c")]
    [InlineData("../b")]
    [InlineData("a/..")]
    [InlineData("/b")]
    [InlineData("a/b c")]
    [InlineData("a/-b")]
    public void A_name_of_another_form_is_refused(string text) =>
        Assert.Equal(MmErrorCode.InvalidArgument, Assert.Throws<MmException>(() => HubModelId.Parse(text)).Code);

    [Fact]
    public void Options_come_from_the_environment()
    {
        var options = HubOptions.FromEnvironment(name => name == "HF_ENDPOINT" ? "http://127.0.0.1:8080/mirror/" : " hf_x\n");
        Assert.Equal(("http://127.0.0.1:8080/mirror", "hf_x"), (options.Endpoint.AbsoluteUri, options.Token));
        Assert.Equal("https://huggingface.co/", HubOptions.FromEnvironment(_ => null).Endpoint.AbsoluteUri);
        Assert.Throws<MmException>(() => HubOptions.FromEnvironment(_ => "file:///etc"));
    }

    [Fact]
    public void The_usual_files_leave_out_duplicates_and_other_frameworks()
    {
        HubFile[] files = [.. new[]
        {
            ".gitattributes", "README.md", "config.json", "model.safetensors", "pytorch_model.bin", "pytorch_model.bin.index.json",
            "flax_model.msgpack", "onnx/model.onnx", "vae/weights.bin", "tokenizer.model",
        }.Select(path => new HubFile(path, 1, null))];
        Assert.Equal(
            ["README.md", "config.json", "model.safetensors", "vae/weights.bin", "tokenizer.model"],
            HubSelection.Usual(files).Select(file => file.Path));
    }

    public void Dispose() => Directory.Delete(_store.Root, recursive: true);
}
