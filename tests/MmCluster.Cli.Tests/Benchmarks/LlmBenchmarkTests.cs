using MmCluster.Cli.Benchmarks.Llm;
using MmCluster.Engine;
using MmCluster.Models.Catalog;

namespace MmCluster.Cli.Tests.Benchmarks;

public sealed class LlmBenchmarkTests
{
    [Fact]
    public void The_median_of_an_even_count_is_the_mean_of_the_middle_two()
    {
        Assert.Equal(2.5, LlmBenchmark.Median([4, 1, 3, 2]));
        Assert.Equal(3, LlmBenchmark.Median([9, 3, 1]));
    }

    [Fact]
    public async Task Bench_llm_reports_speed_memory_and_the_first_ids_under_their_keys()
    {
        CommandRun run = await CommandRun.WithAsync(
            "", new() { ["HOME"] = Path.GetTempPath() },
            "bench", "llm", "--model", "mini", "--dtype", "f32", "--prompt", "5", "--new", "20", "--repeat", "1", "--json");
        Assert.Equal(0, run.Exit);
        foreach (string key in (string[])["prefill_tok_s", "decode_tok_s", "load_s", "peak_rss_mb"])
        {
            Assert.True(run.Json.GetProperty(key).GetDouble() > 0, key);
        }
        Assert.Equal(16, run.Json.GetProperty("first").GetArrayLength());
    }

    [Fact]
    public async Task Ranks_that_split_the_layers_give_the_same_ids()
    {
        CommandRun whole = await BenchMini();
        CommandRun split = await BenchMini("--tensor-parallel-size", "2");
        Assert.Equal((0, ""), (split.Exit, split.Error));
        Assert.Equal(2, split.Json.GetProperty("tensor_parallel_size").GetInt32());
        Assert.Equal(whole.Json.GetProperty("first").GetRawText(), split.Json.GetProperty("first").GetRawText());
    }

    [Theory]
    [InlineData("cannot be split over 5 ranks", "--tensor-parallel-size", "5")]
    [InlineData("one of them must be 1", "--tensor-parallel-size", "2", "--pipeline-parallel-size", "2")]
    [InlineData("--tensor-parallel-size wants a whole number above 0", "--tensor-parallel-size", "0")]
    public async Task A_split_that_cannot_be_is_refused(string message, params string[] options)
    {
        CommandRun run = await BenchMini(options);
        Assert.Equal(2, run.Exit);
        Assert.Contains(message, run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(20)]
    public async Task Made_up_weights_are_measured_in_batches_whatever_fits_in_a_step(int maxTokens)
    {
        CommandRun run = await MadeUpAsync("--prompt", "30", "--batch", "3", "--max-num-batched-tokens", $"{maxTokens}");
        Assert.Equal((0, ""), (run.Exit, run.Error));
        foreach (string key in (string[])["prefill_runs", "decode_runs"])
        {
            Assert.Equal(2, run.Json.GetProperty(key).EnumerateArray().Count(rate => rate.GetDouble() > 0));
        }
    }

    private static Task<CommandRun> BenchMini(params string[] options) => CommandRun.WithAsync(
        "", new() { ["HOME"] = Path.GetTempPath() },
        ["bench", "llm", "--model", "mini", "--prompt", "5", "--new", "20", "--repeat", "1", "--dtype", "f32", "--json", .. options]);

    [Fact]
    public async Task Measured_prompts_continue_a_cached_prefix_where_asked()
    {
        CommandRun run = await MadeUpAsync("--prompt", "40", "--batch", "3", "--cached", "35");
        Assert.Equal((0, ""), (run.Exit, run.Error));
        Assert.Equal(3 * 32, run.Json.GetProperty("cached_tokens").GetInt64()); // whole blocks
        CommandRun refused = await MadeUpAsync("--prompt", "40", "--batch", "3", "--ragged", "--cached", "10");
        Assert.Equal(2, refused.Exit);
        Assert.Contains("the shortest prompt has 10 tokens", refused.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1024, 8)]
    [InlineData(7, 3)]
    [InlineData(1, 2)]
    [InlineData(5, 1)]
    public void Ragged_prompts_have_the_same_sum(int prompt, int batch)
    {
        LlmBenchmarkOptions options = new("", new LoadOptions(), new ExecutorOptions(), prompt, 4, batch, 1) { Ragged = true };
        int[] lengths = [.. Enumerable.Range(0, batch).Select(options.PromptOf)];
        Assert.Equal(prompt * batch, lengths.Sum());
        Assert.Equal(lengths.Order(), lengths);
        Assert.Equal((batch > 1 ? prompt - (3 * prompt / 4) : prompt, options.Longest), (lengths[0], lengths[^1]));
    }

    private static async Task<CommandRun> MadeUpAsync(params string[] options)
    {
        using var folder = new TemporaryFolder();
        folder.Write("config.json", """
            {"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":64,"intermediate_size":96,"num_hidden_layers":2,
             "num_attention_heads":4,"vocab_size":300,"max_position_embeddings":512,"rms_norm_eps":1e-5,"hidden_act":"silu"}
            """u8.ToArray());
        return await CommandRun.WithAsync(
            "", new() { ["HOME"] = Path.GetTempPath() },
            ["bench", "llm", "--model", folder.Path, "--load-format", "dummy", "--new", "8", "--repeat", "2", .. options, "--json"]);
    }
}
