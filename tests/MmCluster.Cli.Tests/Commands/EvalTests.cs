using System.Text.Json;
using MmCluster.Cli.Tests.Evaluation;

namespace MmCluster.Cli.Tests.Commands;

public sealed class EvalTests
{
    [Fact]
    public async Task The_shipped_model_answers_and_the_counts_are_the_items()
    {
        using var folder = new TemporaryFolder();
        string items = Path.Combine(folder.Path, "items.jsonl");
        CommandRun run = await EvalAsync(folder, Shipped.Model, "--limit", "2", "--items", items, "--json");
        Assert.Equal(("", 0), (run.Error, run.Exit));
        Assert.Equal(["schema", "model", "seed", "tasks", "heldout_pairs", "second_rendering"], run.Json.EnumerateObject().Select(property => property.Name));
        JsonElement[] lines = [.. (await File.ReadAllLinesAsync(items, TestContext.Current.CancellationToken)).Select(line => JsonDocument.Parse(line).RootElement)];
        foreach (string column in new[] { "tasks", "heldout_pairs", "second_rendering" })
        {
            foreach (JsonProperty task in run.Json.GetProperty(column).EnumerateObject())
            {
                JsonElement[] own = [.. lines.Where(line => line.GetProperty("column").GetString() == column && line.GetProperty("task").GetString() == task.Name)];
                Assert.Equal(2, own.Length);
                Assert.Equal(2, task.Value.GetProperty("n").GetInt32());
                Assert.Equal(own.Count(line => line.GetProperty("correct").GetBoolean()), task.Value.GetProperty("correct").GetInt32());
            }
        }
        // Its accuracy is near 1; most of 22 answers right means that the whole path works.
        Assert.True(lines.Count(line => line.GetProperty("correct").GetBoolean()) >= 20);
    }

    [Fact]
    public async Task People_get_a_table()
    {
        using var folder = new TemporaryFolder();
        CommandRun run = await EvalAsync(folder, Shipped.Model, "--limit", "1");
        Assert.Equal(("", 0), (run.Error, run.Exit));
        foreach (string word in new[] { "accuracy", "95 % interval", "tasks", "background", "heldout_pairs", "second_rendering" })
        {
            Assert.Contains(word, run.Out, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_model_without_a_set_needs_one_named()
    {
        using var folder = new TemporaryFolder();
        CommandRun run = await EvalAsync(folder, folder.Path);
        Assert.Equal(2, run.Exit);
        Assert.Contains("--data", run.Error, StringComparison.Ordinal);
        run = await EvalAsync(folder, Shipped.Model, "--data", folder.Path);
        Assert.Equal(2, run.Exit);
        Assert.Contains(folder.Path, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_cannot_be_written_is_refused_before_the_work()
    {
        using var folder = new TemporaryFolder();
        CommandRun run = await EvalAsync(folder, Shipped.Model, "--items", Path.Combine(folder.Path, "no", "items.jsonl"));
        Assert.Equal(2, run.Exit);
        Assert.Contains("items.jsonl", run.Error, StringComparison.Ordinal);
    }

    private static Task<CommandRun> EvalAsync(TemporaryFolder home, params string[] args) =>
        CommandRun.WithAsync("", new() { ["MM_HOME"] = home.Path }, ["eval", .. args]);
}
