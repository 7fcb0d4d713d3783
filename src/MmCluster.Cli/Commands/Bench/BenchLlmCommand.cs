using System.CommandLine;
using System.Globalization;
using MmCluster.Cli.Benchmarks.Llm;
using MmCluster.Cli.Hosting;
using MmCluster.Models;
using MmCluster.Models.Catalog;
using MmCluster.Models.Hub;
using MmCluster.Tensors;

namespace MmCluster.Cli.Commands.Bench;

/// <summary><c>mm bench llm</c>: prompt and decoding speed of a batch of sequences, through the engine.</summary>
internal sealed class BenchLlmCommand : Command
{
    private readonly Option<string> _model = new("--model") { Description = "Folder, card or ORG/NAME; a tokenizer is not needed.", Required = true };
    private readonly LoadingOptions _loading = new();
    private readonly Option<int> _prompt = NumberOptions.Positive("--prompt", 256, "Prompt tokens of a sequence.");
    private readonly Option<bool> _ragged = new("--ragged") { Description = "Prompts from a quarter to seven quarters of --prompt, the same in sum." };
    private readonly Option<int> _cached = NumberOptions.Count("--cached", "Prompt tokens that are in the prefix cache already, whole blocks of 16; default: 0.");
    private readonly Option<int> _new = NumberOptions.Positive("--new", 32, "Tokens of a sequence generated behind the first.");
    private readonly Option<int> _batch = NumberOptions.Positive("--batch", 1, "Sequences at once.");
    private readonly Option<int?> _maxTokens = NumberOptions.PositiveOrNone("--max-num-batched-tokens", "Positions computed in one step; default: all prompts', at most 8192.");
    private readonly Option<int> _repeat = NumberOptions.Positive("--repeat", 3, "Measured runs, after one that is not.");

    public BenchLlmCommand(CommandContext context)
        : base("llm", "Measure a language model's prompt and decoding speed.")
    {
        Add(_model);
        this.AddAll([.. _loading.All, _prompt, _ragged, _cached, _new, _batch, _maxTokens, _repeat]);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        var locator = new ModelLocator(context.Cards, LocalStore.FromEnvironment(context.Environment));
        LocatedModel model = locator.Locate(parsed.GetRequiredValue(_model));
        LlmBenchmarkOptions options = new(
            model.Folder, _loading.Weights.Load(parsed), _loading.Executor(parsed), parsed.GetValue(_prompt), parsed.GetValue(_new), parsed.GetValue(_batch), parsed.GetValue(_repeat))
        {
            MaxBatchedTokens = parsed.GetValue(_maxTokens),
            PipelineShards = _loading.PipelineShards(parsed),
            TensorRanks = _loading.TensorRanks(parsed),
            Ragged = parsed.GetValue(_ragged),
            Cached = parsed.GetValue(_cached),
        };
        if (options.Cached >= options.PromptOf(0))
        {
            throw new MmException(MmErrorCode.InvalidArgument, $"--cached {options.Cached}: the shortest prompt has {options.PromptOf(0)} tokens, and at least one must be left to compute");
        }
        LlmBenchmarkResult result = await LlmBenchmark.RunAsync(options, cancellationToken);
        if (parsed.GetValue(GlobalOptions.Json))
        {
            await context.Out.WriteLineAsync(JsonLine.Of(Describe(model.Name, _loading.Weights.DType(parsed), _loading.KvDType(parsed), options, result)));
            return ExitCodes.Done;
        }
        await context.Out.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"prefill {result.PrefillTokensPerSecond:0.0} tok/s, decode {result.DecodeTokensPerSecond:0.0} tok/s, loaded in {result.LoadSeconds:0.00} s, first token after {result.FirstTokenSeconds:0.00} s, peak {result.PeakRssMegabytes:0} MB"));
        return ExitCodes.Done;
    }

    private static object Describe(string model, string dtype, string kvDType, LlmBenchmarkOptions options, LlmBenchmarkResult result) => new
    {
        engine = "mmcluster",
        model,
        dtype,
        kv_cache_dtype = kvDType,
        device = options.Load.Device.ToString(),
        threads = Device.Cpu.Threads,
        prompt = options.Prompt,
        ragged = options.Ragged,
        cached_tokens = result.Cached,
        @new = options.New,
        batch = options.Batch,
        pipeline_parallel_size = options.PipelineShards,
        tensor_parallel_size = options.TensorRanks,
        prefill_tok_s = Math.Round(result.PrefillTokensPerSecond, 2),
        decode_tok_s = Math.Round(result.DecodeTokensPerSecond, 2),
        prefill_runs = result.Prefill.Select(rate => Math.Round(rate, 2)),
        decode_runs = result.Decode.Select(rate => Math.Round(rate, 2)),
        load_s = Math.Round(result.LoadSeconds, 3),
        weight_bytes = result.WeightBytes,
        first_token_s = Math.Round(result.FirstTokenSeconds, 3),
        peak_rss_mb = Math.Round(result.PeakRssMegabytes, 1),
        first = result.First,
    };
}
