using System.CommandLine;
using MmCluster.Cli.Hosting;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm chat</c>: a conversation on the terminal, or over a pipe with one turn a line.</summary>
internal sealed class ChatCommand : Command
{
    private const string Help = "/image FILE adds a picture to your next message, /clear forgets the conversation, /exit or Ctrl-D ends.";

    private readonly ModelOptions _model = new();
    private readonly Option<string?> _system = new("--system") { Description = "System message." };
    private readonly SamplingOptions _sampling = new();

    public ChatCommand(CommandContext context)
        : base("chat", "Talk with a model, about pictures if you like.")
    {
        _model.AddTo(this);
        Add(_system);
        this.AddAll(_sampling.All);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        List<ChatTurn> turns = await TalkAsync(parsed, context, cancellationToken);
        if (parsed.GetValue(GlobalOptions.Json))
        {
            await context.Out.WriteLineAsync(JsonLine.Of(new
            {
                schema = 1,
                messages = turns.Select(turn => new { role = turn.Role, content = string.Concat(turn.Parts.OfType<ChatPart.Text>().Select(part => part.Value)) }),
            }));
        }
        return ExitCodes.Done;
    }

    private async Task<List<ChatTurn>> TalkAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        await using LocalModel model = _model.Load(parsed, ModelOptions.Locate(_model.Name(parsed), context), new EngineOptions { MaxNumSeqs = 1 });
        SamplingParameters sampling = _sampling.Read(parsed);
        List<ChatTurn> start = parsed.GetValue(_system) is { } system ? [new ChatTurn("system", [new ChatPart.Text(system)])] : [];
        List<ChatTurn> turns = [.. start];
        List<ChatPart> pictures = [];
        await context.Error.WriteLineAsync(Help);
        while (await ReadLineAsync(context, cancellationToken) is { } line)
        {
            switch (line.Split(' ', 2, StringSplitOptions.TrimEntries))
            {
                case [""]:
                    break;
                case ["/exit"]:
                    return turns;
                case ["/help"]:
                    await context.Error.WriteLineAsync(Help);
                    break;
                case ["/clear"]:
                    turns = [.. start];
                    pictures.Clear();
                    break;
                case ["/image", { } path]:
                    await AddPictureAsync(path, pictures, context, cancellationToken);
                    break;
                default:
                    turns.Add(new ChatTurn("user", [.. pictures, new ChatPart.Text(line)]));
                    pictures.Clear();
                    await AnswerAsync(model, turns, sampling, context, cancellationToken);
                    break;
            }
        }
        return turns;
    }

    private static async Task<string?> ReadLineAsync(CommandContext context, CancellationToken cancellationToken)
    {
        await context.Error.WriteAsync("> ");
        return await context.In.ReadLineAsync(cancellationToken);
    }

    // What is wrong with a picture or a turn ends neither the conversation nor the program.
    private static async Task AddPictureAsync(
        string path, List<ChatPart> pictures, CommandContext context, CancellationToken cancellationToken)
    {
        try
        {
            pictures.Add(new ChatPart.Media(await MediaArguments.PictureAsync(path, cancellationToken)));
        }
        catch (MmException error)
        {
            await context.Error.WriteLineAsync($"mm: {error.Message}");
        }
    }

    private static async Task AnswerAsync(
        LocalModel model, List<ChatTurn> turns, SamplingParameters sampling, CommandContext context, CancellationToken cancellationToken)
    {
        var printer = new AnswerPrinter(context.Out);
        try
        {
            var request = new ModelRequest { Input = new ModelInput.Chat([.. turns]), Sampling = sampling };
            await printer.RunAsync(model.GenerateAsync(request, cancellationToken), cancellationToken);
            await context.Out.WriteLineAsync();
            turns.Add(new ChatTurn("assistant", [new ChatPart.Text(printer.Text)]));
        }
        catch (Exception error) when (MmException.From(error) is { Code: MmErrorCode.InvalidArgument or MmErrorCode.NotFound } refused)
        {
            turns.RemoveAt(turns.Count - 1);
            await context.Error.WriteLineAsync($"mm: {refused.Message}");
        }
    }
}
