using System.CommandLine;
using MmCluster.Cli.Hosting;
using MmCluster.Models.Hub;
using Spectre.Console;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm pull</c>: fetches a model from a hub into the local store.</summary>
internal sealed class PullCommand : Command
{
    private readonly Argument<string> _model = new("MODEL") { Description = "ORG/NAME on the hub (HF_ENDPOINT, HF_TOKEN)." };
    private readonly Option<string> _revision = new("--revision")
    {
        Description = "Branch, tag or commit.",
        DefaultValueFactory = _ => "main",
    };

    public PullCommand(CommandContext context)
        : base("pull", "Fetch a model from a hub into the local store.")
    {
        Add(_model);
        Add(_revision);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        var id = HubModelId.Parse(parsed.GetRequiredValue(_model));
        using var puller = new HubPuller(LocalStore.FromEnvironment(context.Environment), HubOptions.FromEnvironment(context.Environment));
        PullResult result = await context.Progress.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new DownloadedColumn(), new TransferSpeedColumn(), new RemainingTimeColumn())
            .StartAsync(progress =>
            {
                ProgressTask bar = progress.AddTask(id.ToString());
                return puller.PullAsync(id, parsed.GetRequiredValue(_revision), progress: new BarReport(bar), stop: cancellationToken);
            });
        if (parsed.GetValue(GlobalOptions.Json))
        {
            await context.Out.WriteLineAsync(JsonLine.Of(
                new { schema = 1, model = id.ToString(), commit = result.Commit, folder = result.Folder, files = result.Files, bytes_fetched = result.BytesFetched }));
        }
        else
        {
            await context.Out.WriteLineAsync($"{id} at {result.Commit}: {result.Files} files in {result.Folder}, {ByteSize.Text(result.BytesFetched)} fetched");
        }
        return ExitCodes.Done;
    }

    // Progress<T> would post to the thread pool and could paint over what is printed last.
    private sealed class BarReport(ProgressTask bar) : IProgress<PullProgress>
    {
        public void Report(PullProgress value)
        {
            bar.MaxValue = Math.Max(value.Total, 1);
            bar.Value = value.Done;
        }
    }
}
