using System.CommandLine;
using System.Globalization;
using MmCluster.Cli.Demo;
using MmCluster.Cli.Hosting;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models.Catalog;
using MmCluster.Models.Hub;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm demo</c>: asks the shipped model about a shipped scene, and about a picture of the user's. Reads nothing and ends by itself.</summary>
internal sealed class DemoCommand : Command
{
    private readonly Option<string?> _image = new("--image") { Description = "A picture of yours: a file or an http(s) address." };
    private readonly Option<int> _threads = ThreadsOption.Create();

    public DemoCommand(CommandContext context)
        : base("demo", "Ask the shipped model about a picture.")
    {
        Add(_image);
        Add(_threads);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        Tensors.Device.Cpu.Threads = parsed.GetValue(_threads);
        LocatedModel located = new ModelLocator(context.Cards, LocalStore.FromEnvironment(context.Environment)).Default;
        var script = DemoScript.Read(located.Folder);
        await context.Out.WriteLineAsync($"Starting {located.Name} in this process, on the CPU …");
        await using var model = LocalModel.Load(located.Folder, new LocalModelOptions
        {
            Card = located.Card,
            Load = new LoadOptions { Backbone = Tensors.DType.F32 },
            Engine = new EngineOptions { MaxNumSeqs = 1 },
        });
        List<object> answers = [];
        await ShowAsync(model, script.Image, script.Questions, answers, context, cancellationToken);
        if (parsed.GetValue(_image) is { } own)
        {
            await ShowAsync(model, own, script.Questions, answers, context, cancellationToken);
        }
        await context.Out.WriteLineAsync(NextSteps(parsed.GetValue(_image) is null));
        if (parsed.GetValue(GlobalOptions.Json))
        {
            await context.Out.WriteLineAsync(JsonLine.Of(new { schema = 1, model = located.Name, answers }));
        }
        return ExitCodes.Done;
    }

    private static async Task ShowAsync(
        LocalModel model, string picture, IReadOnlyList<string> questions, List<object> answers, CommandContext context, CancellationToken cancellationToken)
    {
        MediaItem media = await MediaArguments.PictureAsync(picture, cancellationToken);
        await context.Out.WriteLineAsync($"\n{picture}");
        if (context.ShowsColours)
        {
            await context.Out.WriteAsync(await PicturePreview.RenderAsync(media, cancellationToken));
        }
        foreach (string question in questions)
        {
            await context.Out.WriteLineAsync($"\n  {question}");
            await context.Out.WriteAsync("  → ");
            var printer = new AnswerPrinter(context.Out);
            var request = new ModelRequest
            {
                Input = ModelInput.Chat.FromUser(question, media),
                Sampling = new SamplingParameters { Temperature = 0, MaxTokens = 128 },
            };
            await printer.RunAsync(model.GenerateAsync(request, cancellationToken), cancellationToken);
            answers.Add(new { image = picture, question, answer = printer.Text, token_ids = printer.TokenIds, first_token_s = Math.Round(printer.FirstTokenSeconds, 3) });
            await context.Out.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"  ({printer.TokenIds.Count} tokens in {printer.Seconds:0.00} s, {printer.TokensPerSecond:0} tokens/s)"));
        }
    }

    private static string NextSteps(bool withoutPicture)
    {
        string picture = withoutPicture ? "\n  ./mm demo --image FILE                  the same questions about a picture of yours" : "";
        return $"""

            What to try next:{picture}
              ./mm chat                               talk with the model; /image FILE shows it a picture
              ./mm run "What is this?" --image FILE   one question
              ./mm serve                              OpenAI's HTTP interface on port 8000
              ./mm models                             other models, and how to get them
            """;
    }
}
