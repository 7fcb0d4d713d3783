using System.CommandLine;
using System.Globalization;
using MmCluster.Cli.Benchmarks.Llm;
using MmCluster.Cli.Benchmarks.Serving;
using MmCluster.Cli.Hosting;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models.Catalog;

namespace MmCluster.Cli.Commands.Bench;

/// <summary><c>mm bench engine</c>: what <c>mm bench serve</c> sends, through the engine of this process, without a gateway.</summary>
internal sealed class BenchEngineCommand : Command
{
    private readonly ModelOptions _model = new();
    private readonly Option<int> _numPrompts = NumberOptions.Positive("--num-prompts", 64, "Requests.");
    private readonly Option<int> _concurrency = NumberOptions.Positive("--max-concurrency", 32, "Requests in flight at once.");
    private readonly Option<int> _maxTokens = NumberOptions.Positive("--max-num-batched-tokens", 2048, "Positions computed in one step.");
    private readonly Option<int> _inputLength = NumberOptions.Positive("--random-input-len", 64, "Words a prompt.");
    private readonly Option<int> _outputLength = NumberOptions.Positive("--random-output-len", 128, "Tokens an answer.");
    private readonly Option<int> _images = NumberOptions.Count("--images", "Pictures a request.");
    private readonly Option<int> _imageSize = NumberOptions.Positive("--image-size", 336, "Width and height of the pictures.");
    private readonly Option<int> _repeat = NumberOptions.Positive("--repeat", 3, "Measured runs, after one that is not.");

    public BenchEngineCommand(CommandContext context)
        : base("engine", "Measure a model with chats and pictures in this process, without a gateway.")
    {
        _model.AddTo(this);
        this.AddAll([_numPrompts, _concurrency, _maxTokens, _inputLength, _outputLength, _images, _imageSize, _repeat]);
        this.Needs(_imageSize, _images);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        LocatedModel located = ModelOptions.Locate(_model.Name(parsed), context);
        int concurrency = parsed.GetValue(_concurrency);
        await using LocalModel model = _model.Load(parsed, located, new EngineOptions
        {
            MaxNumSeqs = concurrency,
            MaxNumBatchedTokens = Math.Max(parsed.GetValue(_maxTokens), concurrency),
        });
        List<double> rates = [];
        for (int run = 0; run <= parsed.GetValue(_repeat); run++)
        {
            // Other pictures and words every time: nothing of a run before is cached.
            EngineWorkload workload = new(
                parsed.GetValue(_inputLength), parsed.GetValue(_outputLength), parsed.GetValue(_images), parsed.GetValue(_imageSize), seed: run);
            double rate = await workload.RunAsync(model, parsed.GetValue(_numPrompts), concurrency, cancellationToken);
            if (run > 0)
            {
                rates.Add(rate);
            }
        }
        double median = LlmBenchmark.Median(rates);
        await context.Out.WriteLineAsync(parsed.GetValue(GlobalOptions.Json)
            ? JsonLine.Of(new { model = located.Name, output_throughput = Math.Round(median, 2), runs = rates.Select(rate => Math.Round(rate, 2)) })
            : string.Create(CultureInfo.InvariantCulture, $"{median:0.0} output tokens/s"));
        return ExitCodes.Done;
    }
}
