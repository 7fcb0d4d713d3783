using MmCluster.Models.Tests.Hub;

namespace MmCluster.Cli.Tests.Commands;

public sealed class PullTests
{
    [Fact]
    public async Task A_model_lands_in_the_store_and_the_folder_is_told()
    {
        await using var hub = new HubServer();
        hub.Add("config.json", "{}"u8.ToArray());
        hub.Add("model.safetensors", HubServer.Noise(100_000, 1), large: true);
        await hub.StartAsync();
        using var home = new TemporaryFolder();
        Dictionary<string, string> environment = new() { ["HF_ENDPOINT"] = hub.Address.ToString(), ["MM_HOME"] = home.Path };
        CommandRun run = await CommandRun.WithAsync("", environment, "pull", HubServer.Model, "--json");
        Assert.Equal((0, 2), (run.Exit, run.Json.GetProperty("files").GetInt32()));
        string folder = run.Json.GetProperty("folder").GetString()!;
        Assert.Equal(hub.Bytes("model.safetensors"), await File.ReadAllBytesAsync(Path.Combine(folder, "model.safetensors"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_name_that_is_no_hub_name_says_how_one_looks()
    {
        CommandRun run = await CommandRun.WithAsync("", new() { ["MM_HOME"] = "/nowhere" }, "pull", "llava");
        Assert.Equal(2, run.Exit);
        Assert.Contains("ORG/NAME", run.Error, StringComparison.Ordinal);
    }
}
