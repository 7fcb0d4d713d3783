using System.Text;
using System.Text.Json;
using MmCluster.Cli.Hosting;
using Spectre.Console;

namespace MmCluster.Cli.Tests.Commands;

public sealed class ServeTests
{
    private static readonly Dictionary<string, string> Home = new() { ["HOME"] = Path.GetTempPath() };

    [Fact]
    public async Task A_simulated_server_tells_its_address_takes_a_benchmark_and_stops_when_asked()
    {
        using var profile = new TemporaryFolder();
        profile.Write("profile.json", """{"schema":1,"step_milliseconds":0,"token_microseconds":0,"context_nanoseconds":0}"""u8.ToArray());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var output = new FirstLine();
        Task<int> serving = CommandLine.RunAsync(
            ["serve", Path.Combine(profile.Path, "profile.json"), "--simulate", "--port", "0", "--json"],
            new CommandContext
            {
                In = TextReader.Null,
                Out = output,
                Error = TextWriter.Null,
                Progress = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(TextWriter.Null) }),
            },
            stop.Token);
        JsonElement served = JsonDocument.Parse(await output.Line).RootElement;
        CommandRun bench = await CommandRun.WithAsync(
            "", Home, "bench", "serve", "--base-url", served.GetProperty("base_url").GetString()!, "--num-prompts", "4", "--random-input-len", "20",
            "--random-output-len", "3", "--random-range-ratio", "0.5", "--ignore-eos", "--goodput", "ttft:60000", "--json");
        Assert.Equal((0, 4, 0), (bench.Exit, bench.Json.GetProperty("completed").GetInt32(), bench.Json.GetProperty("failed").GetInt32()));
        foreach (string key in (string[])["request_throughput", "output_throughput", "request_goodput", "mean_ttft_ms", "p50_itl_ms", "p90_tpot_ms", "p99_e2el_ms"])
        {
            Assert.True(bench.Json.GetProperty(key).GetDouble() >= 0, key);
        }
        await stop.CancelAsync();
        Assert.Equal(0, await serving);
    }

    [Theory]
    [InlineData("serve", "--port", "70000")]
    [InlineData("serve", "--port", "x")]
    [InlineData("serve", "--max-num-seqs", "0")]
    [InlineData("serve", "--max-num-seqs", "x")]
    [InlineData("serve", "--max-num-batched-tokens", "x")]
    [InlineData("serve", "--request-timeout", "0")]
    [InlineData("serve", "--shutdown-timeout", "-1")]
    [InlineData("serve", "--kv-cache-memory-bytes", "1GB")]
    [InlineData("serve", "--max-num-batched-tokens", "100")]
    [InlineData("serve", "--max-num-batched-tokens", "7", "--max-num-seqs", "8")]
    [InlineData("serve", "--encoder-cache-bytes", "0")]
    [InlineData("run", "hi", "--seed", "-1")]
    [InlineData("serve", "--max-model-len", "-5")]
    [InlineData("serve", "--speculative-tokens", "-1")]
    [InlineData("bench", "serve", "--random-range-ratio", "1")]
    [InlineData("bench", "serve", "--random-range-ratio", "x")]
    [InlineData("bench", "serve", "--num-prompts", "many")]
    [InlineData("bench", "serve", "--max-concurrency", "0")]
    [InlineData("bench", "serve", "--request-rate", "0")]
    public async Task A_number_out_of_range_is_one_line_and_exit_code_2(params string[] arguments)
    {
        CommandRun run = await CommandRun.WithAsync("", Home, arguments);
        Assert.Equal(2, run.Exit);
        Assert.Contains("--help", Assert.Single(run.Error.TrimEnd().Split('\n')), StringComparison.Ordinal);
        Assert.DoesNotContain("System.", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("serve")]
    [InlineData("run")]
    [InlineData("chat")]
    [InlineData("bench", "llm", "--model", "x")]
    public async Task An_unknown_format_of_the_kv_cache_is_named_and_exit_code_2(params string[] command)
    {
        CommandRun run = await CommandRun.WithAsync("", Home, [.. command, "--kv-cache-dtype", "fp4"]);
        Assert.Equal(2, run.Exit);
        Assert.Contains("fp4", run.Error, StringComparison.Ordinal);
        Assert.Contains("bfloat16", run.Error, StringComparison.Ordinal);
    }

    private sealed class FirstLine : StringWriter
    {
        private readonly TaskCompletionSource<string> _line = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<string> Line => _line.Task;

        public override Encoding Encoding => Encoding.UTF8;

        public override Task WriteLineAsync(string? value)
        {
            _line.TrySetResult(value ?? "");
            return Task.CompletedTask;
        }
    }
}
