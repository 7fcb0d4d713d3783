using System.CommandLine;
using MmCluster.Cli.Commands;
using MmCluster.Cli.Hosting;
using Spectre.Console;

namespace MmCluster.Cli.Tests.Commands;

/// <summary>What would be ignored is refused by name.</summary>
public sealed class IgnoredOptionTests
{
    private static readonly string[] Front = ["--host", "--port", "--grpc-port", "--api-key", "--otlp-endpoint"];

    private static readonly string[] Engine =
    [
        "--served-model-name", "--max-num-seqs", "--max-num-batched-tokens", "--max-queue", "--scheduling-policy", "--no-enable-prefix-caching", "--speculative-tokens",
        "--request-timeout", "--shutdown-timeout", "--allowed-media-domains", "--max-model-len",
    ];

    private static readonly string[] Weights =
    [
        "--dtype", "--load-format", "--threads", "--device", "--kv-cache-memory-bytes", "--kv-cache-dtype", "--gpu-memory-utilization", "--enforce-eager", "--deterministic",
        "--pipeline-parallel-size", "--tensor-parallel-size", "--encoder-cache-bytes",
    ];

    private static readonly string[] Cluster =
    [
        "--config", "--set", "--threads", "--cluster-folder", "--cluster-id", "--cluster-secret", "--tensor-link-port", "--tensor-link-bytes", "--log-level", "--log-format",
    ];

    /// <summary>The ways of serving, each with the options that it reads.</summary>
    public static TheoryData<string[], string[]> Ways => new()
    {
        { [], ["--config", "--simulate", .. Front, .. Engine, .. Weights] },
        { ["--simulate"], ["--simulate", "--config", .. Front, .. Engine] }, // the two refuse each other under the name of the former
        { ["--config", "c.yaml"], [.. Front, .. Cluster] },
    };

    // A new option belongs into a list above, and into what reads it.
    [Theory, MemberData(nameof(Ways))]
    public void Each_option_of_serve_is_read_or_refused_by_name(string[] way, string[] read)
    {
        Command serve = Serve();
        foreach (Option option in serve.Options)
        {
            string[] written = way.Contains(option.Name) ? way : [.. way, option.Name, .. Value(option)];
            bool refused = serve.Parse(written).Errors.Any(error => error.Message.StartsWith($"{option.Name} has no effect with", StringComparison.Ordinal));
            Assert.True(read.Contains(option.Name) != refused, $"mm serve {string.Join(' ', written)}: {(refused ? "refused" : "not refused")}");
        }
    }

    [Theory]
    [InlineData("--tensor-parallel-size has no effect with --config; write models.NAME.tensor_parallel_size into the file, or --set models.NAME.tensor_parallel_size=VALUE.", "serve", "--config", "c.yaml", "--tensor-parallel-size", "2")]
    [InlineData("--encoder-cache-bytes has no effect with --config.", "serve", "--config", "c.yaml", "--encoder-cache-bytes", "1")]
    [InlineData("--cluster-folder has no effect without --config.", "serve", "--cluster-folder", "x")]
    [InlineData("--set has no effect without --config.", "gateway", "--set", "gateway.port=1")]
    [InlineData("--logprobs has no effect without --json.", "run", "hi", "--logprobs", "2")]
    [InlineData("Unrecognized option '--logprobs'.", "chat", "--logprobs", "2")]
    [InlineData("Unrecognized option '--nonsense'.", "run", "mini", "--nonsense")]
    [InlineData("'--tensor-parallel-size'", "bench", "encoder", "--model", "mini", "--tensor-parallel-size", "2")]
    [InlineData("--dtype q8_0: encoders are f32 or bf16", "bench", "encoder", "--model", "mini", "--dtype", "q8_0")]
    [InlineData("--image-size has no effect without --images.", "bench", "engine", "--image-size", "64")]
    [InlineData("--random-prefix-len has no effect with --images.", "bench", "serve", "--images", "1", "--random-prefix-len", "8")]
    [InlineData("--vocab-size has no effect with --images.", "bench", "serve", "--images", "1", "--vocab-size", "800")]
    [InlineData("--burstiness has no effect without --request-rate.", "bench", "serve", "--burstiness", "2")]
    public async Task What_would_be_ignored_is_one_line_and_exit_code_2(string said, params string[] arguments)
    {
        CommandRun run = await CommandRun.OfAsync(arguments);
        Assert.Equal(2, run.Exit);
        Assert.Contains(said, Assert.Single(run.Error.TrimEnd().Split('\n')), StringComparison.Ordinal);
    }

    private static string[] Value(Option option) => option.ValueType == typeof(bool) ? [] : ["1"];

    private static ServeCommand Serve() => new(new CommandContext
    {
        In = TextReader.Null,
        Out = TextWriter.Null,
        Error = TextWriter.Null,
        Progress = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(TextWriter.Null) }),
    });
}
