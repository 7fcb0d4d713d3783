using MmCluster.Cli.Benchmarks.Llm;

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
        using var folder = new TemporaryFolder();
        folder.Write("config.json", """
            {"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":64,"intermediate_size":96,"num_hidden_layers":2,
             "num_attention_heads":4,"vocab_size":300,"max_position_embeddings":512,"rms_norm_eps":1e-5,"hidden_act":"silu"}
            """u8.ToArray());
        CommandRun run = await CommandRun.WithAsync(
            "", new() { ["HOME"] = Path.GetTempPath() },
            "bench", "llm", "--model", folder.Path, "--load-format", "dummy", "--prompt", "30", "--new", "8", "--batch", "3", "--repeat", "2",
            "--max-num-batched-tokens", $"{maxTokens}", "--json");
        Assert.Equal((0, ""), (run.Exit, run.Error));
        foreach (string key in (string[])["prefill_runs", "decode_runs"])
        {
            Assert.Equal(2, run.Json.GetProperty(key).EnumerateArray().Count(rate => rate.GetDouble() > 0));
        }
    }

    private static Task<CommandRun> BenchMini(params string[] options) => CommandRun.WithAsync(
        "", new() { ["HOME"] = Path.GetTempPath() },
        ["bench", "llm", "--model", "mini", "--prompt", "5", "--new", "20", "--repeat", "1", "--dtype", "f32", "--json", .. options]);
}
