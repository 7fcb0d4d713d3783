using System.CommandLine;
using System.Globalization;
using MmCluster.Cli.Benchmarks.Llm;
using MmCluster.Cli.Hosting;
using MmCluster.Models.Catalog;
using MmCluster.Models.Hub;
using MmCluster.Tensors;

namespace MmCluster.Cli.Commands.Bench;

/// <summary><c>mm bench llm</c>: prompt and decoding speed of one sequence.</summary>
internal sealed class BenchLlmCommand : Command
{
    private readonly Option<string> _model = new("--model") { Description = "Folder, card or ORG/NAME; a tokenizer is not needed.", Required = true };
    private readonly Option<string> _dtype = DTypeOption.Create();
    private readonly Option<string> _kvDType = KvCacheDTypeOption.Create();
    private readonly Option<int> _prompt = NumberOptions.Positive("--prompt", 256, "Prompt tokens.");
    private readonly Option<int> _new = NumberOptions.Positive("--new", 32, "Tokens generated behind the first.");
    private readonly Option<int> _threads = ThreadsOption.Create();
    private readonly Option<int> _repeat = NumberOptions.Positive("--repeat", 3, "Measured runs, after one that is not.");

    public BenchLlmCommand(CommandContext context)
        : base("llm", "Measure a language model's prompt and decoding speed.")
    {
        foreach (Option option in (Option[])[_model, _dtype, _kvDType, _prompt, _new, _threads, _repeat])
        {
            Add(option);
        }
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        Device.Cpu.Threads = parsed.GetValue(_threads);
        var locator = new ModelLocator(context.Cards, LocalStore.FromEnvironment(context.Environment));
        LocatedModel model = locator.Locate(parsed.GetRequiredValue(_model));
        string dtype = parsed.GetRequiredValue(_dtype);
        string kvDType = parsed.GetRequiredValue(_kvDType);
        LlmBenchmarkResult result = await LlmBenchmark.RunAsync(
            new LlmBenchmarkOptions(
                model.Folder, DTypeOption.Parse(dtype), parsed.GetValue(_prompt), parsed.GetValue(_new), parsed.GetValue(_repeat))
            {
                KvCacheDType = KvCacheDTypeOption.Parse(kvDType),
            },
            cancellationToken);
        if (parsed.GetValue(GlobalOptions.Json))
        {
            await context.Out.WriteLineAsync(JsonLine.Of(new
            {
                engine = "mmcluster",
                model = model.Name,
                dtype,
                kv_cache_dtype = kvDType,
                threads = Device.Cpu.Threads,
                prompt = parsed.GetValue(_prompt),
                prefill_tok_s = Math.Round(result.PrefillTokensPerSecond, 2),
                decode_tok_s = Math.Round(result.DecodeTokensPerSecond, 2),
                load_s = Math.Round(result.LoadSeconds, 3),
                peak_rss_mb = Math.Round(result.PeakRssMegabytes, 1),
                first = result.First,
            }));
            return ExitCodes.Done;
        }
        await context.Out.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"prefill {result.PrefillTokensPerSecond:0.0} tok/s, decode {result.DecodeTokensPerSecond:0.0} tok/s, loaded in {result.LoadSeconds:0.00} s, peak {result.PeakRssMegabytes:0} MB"));
        return ExitCodes.Done;
    }
}
