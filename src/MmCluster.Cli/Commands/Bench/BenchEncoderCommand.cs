using System.CommandLine;
using System.Globalization;
using MmCluster.Cli.Benchmarks.Encoders;
using MmCluster.Cli.Benchmarks.Llm;
using MmCluster.Cli.Hosting;
using MmCluster.Models;
using MmCluster.Models.Catalog;
using MmCluster.Models.Hub;
using MmCluster.Tensors;

namespace MmCluster.Cli.Commands.Bench;

/// <summary><c>mm bench encoder</c>: how fast a model's encoder is.</summary>
internal sealed class BenchEncoderCommand : Command
{
    private readonly Option<string> _model = new("--model") { Description = "Folder, card or ORG/NAME.", Required = true };
    private readonly WeightOptions _weights = new();
    private readonly Option<int> _batch = NumberOptions.Positive("--batch", 1, "Items at once.");
    private readonly Option<int> _repeat = NumberOptions.Positive("--repeat", 3, "Measured runs, after one that is not.");

    public BenchEncoderCommand(CommandContext context)
        : base("encoder", "Measure a model's encoder and the projectors behind it.")
    {
        Add(_model);
        this.AddAll(_weights.All);
        Add(_batch);
        Add(_repeat);
        SetAction((parsed, _) => RunAsync(parsed, context));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context)
    {
        LoadOptions load = _weights.Load(parsed);
        if (load.Backbone is not (DType.F32 or DType.BF16))
        {
            throw new MmException(MmErrorCode.InvalidArgument, $"--dtype {_weights.DType(parsed)}: encoders are f32 or bf16") { Param = "dtype" };
        }
        var locator = new ModelLocator(context.Cards, LocalStore.FromEnvironment(context.Environment));
        LocatedModel model = locator.Locate(parsed.GetRequiredValue(_model));
        IReadOnlyList<double> rates = EncoderBenchmark.Run(model.Folder, load, parsed.GetValue(_batch), parsed.GetValue(_repeat));
        double median = LlmBenchmark.Median(rates);
        await context.Out.WriteLineAsync(parsed.GetValue(GlobalOptions.Json)
            ? JsonLine.Of(new
            {
                model = model.Name,
                device = load.Device.ToString(),
                dtype = _weights.DType(parsed),
                batch = parsed.GetValue(_batch),
                items_s = Math.Round(median, 2),
                runs = rates.Select(rate => Math.Round(rate, 2)),
            })
            : string.Create(CultureInfo.InvariantCulture, $"{median:0.0} items/s"));
        return ExitCodes.Done;
    }
}
