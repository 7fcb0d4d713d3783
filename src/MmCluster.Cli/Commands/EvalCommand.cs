using System.CommandLine;
using MmCluster.Cli.Evaluation;
using MmCluster.Cli.Hosting;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using Spectre.Console;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm eval</c>: how often a model answers right about pictures that the command composes itself.</summary>
internal sealed class EvalCommand : Command
{
    private readonly ModelOptions _model = new("f32");
    private readonly Option<string?> _data = new("--data") { Description = "Folder with eval.json, names.json and sprites; default: MODEL/eval." };
    private readonly Option<string?> _items = new("--items") { Description = "Write one JSON object an item to this file." };
    private readonly Option<int> _limit = NumberOptions.Positive("--limit", EvalSpec.MostItems, "Items a task at most.");

    public EvalCommand(CommandContext context)
        : base("eval", "Measure how often a model answers right about composed pictures.")
    {
        _model.AddTo(this);
        foreach (Option option in (Option[])[_data, _items, _limit])
        {
            Add(option);
        }
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        LocatedModel located = ModelOptions.Locate(_model.Name(parsed), context);
        EvalData data = await EvalData.ReadAsync(DataFolder(located, parsed.GetValue(_data)), cancellationToken);
        // Opened before the work, so that a wrong path costs nothing.
        await using FileStream? items = parsed.GetValue(_items) is { } path ? File.Create(path) : null;
        await using LocalModel model = _model.Load(parsed, located, new EngineOptions { MaxNumSeqs = Evaluator.InFlight });
        if (!model.Modalities.Contains(Modality.Image))
        {
            throw new MmException(MmErrorCode.InvalidArgument, $"{located.Folder}: the model takes no pictures") { Param = "model" };
        }
        var evaluator = new Evaluator(model, data);
        int limit = parsed.GetValue(_limit);
        IReadOnlyList<EvalAnswer> answers = await context.Progress.Progress().AutoClear(true).StartAsync(async progress =>
        {
            ProgressTask bar = progress.AddTask("answers", maxValue: evaluator.Count(limit));
            return await evaluator.RunAsync(limit, () => bar.Increment(1), cancellationToken);
        });
        var report = new EvalReport(answers);
        if (items is not null)
        {
            await report.WriteItemsAsync(items, cancellationToken);
        }
        if (parsed.GetValue(GlobalOptions.Json))
        {
            await context.Out.WriteLineAsync(JsonLine.Of(report.Json(located.Name, data.Spec.Seed)));
        }
        else
        {
            AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(context.Out) }).Write(report.Table());
        }
        return ExitCodes.Done;
    }

    private static string DataFolder(LocatedModel model, string? named)
    {
        string folder = named ?? Path.Combine(model.Folder, "eval");
        return EvalData.IsIn(folder) ? folder
            : throw new MmException(
                MmErrorCode.NotFound,
                named is null
                    ? $"{model.Folder}: there is no evaluation set (eval/eval.json) beside the model; name one with --data DIR"
                    : $"{named}: there is no eval.json in it")
            {
                Param = named is null ? "model" : "data",
            };
    }
}
