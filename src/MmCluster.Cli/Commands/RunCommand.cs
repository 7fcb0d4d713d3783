using System.CommandLine;
using System.Globalization;
using MmCluster.Cli.Hosting;
using MmCluster.Engine;
using MmCluster.Engine.Hosting;
using MmCluster.Models.Catalog;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm run</c>: one question, streamed answer.</summary>
internal sealed class RunCommand : Command
{
    private readonly ModelOptions _model = new();
    private readonly Argument<string[]> _modelAndPrompt = new("MODEL PROMPT")
    {
        Description = "The model (a folder, a card's name, ORG/NAME; may be left out for the shipped one) and the question.",
        Arity = new ArgumentArity(1, 2),
    };

    private readonly Option<string[]> _images = new("--image") { Description = "A picture's file or http(s) address; may be repeated." };
    private readonly Option<string?> _system = new("--system") { Description = "System message." };
    private readonly Option<bool> _raw = new("--raw") { Description = "Continue the prompt as it is, without a chat template." };
    private readonly SamplingOptions _sampling = new();
    private readonly Option<int?> _logprobs = new("--logprobs") { Description = "Report logprobs of chosen tokens and of this many others; with --json." };

    public RunCommand(CommandContext context)
        : base("run", "Ask a model one question, about pictures if you name some.")
    {
        Add(_modelAndPrompt);
        _model.AddOptionsTo(this);
        Add(_images);
        Add(_system);
        Add(_raw);
        this.AddAll([.. _sampling.All, _logprobs]);
        this.Needs(_logprobs, GlobalOptions.Json);
        SetAction((parsed, cancellationToken) => RunAsync(parsed, context, cancellationToken));
    }

    private async Task<int> RunAsync(ParseResult parsed, CommandContext context, CancellationToken cancellationToken)
    {
        bool json = parsed.GetValue(GlobalOptions.Json);
        RefuseModelAlone(parsed, context);
        ModelInput input = await InputAsync(parsed, cancellationToken);
        LocatedModel located = ModelOptions.Locate(parsed.GetRequiredValue(_modelAndPrompt) is [{ } name, _] ? name : null, context);
        await using LocalModel model = _model.Load(parsed, located, new EngineOptions { MaxNumSeqs = 1 });
        var printer = new AnswerPrinter(json ? null : context.Out);
        var request = new ModelRequest { Input = input, Sampling = _sampling.Read(parsed) with { Logprobs = parsed.GetValue(_logprobs) } };
        await printer.RunAsync(model.GenerateAsync(request, cancellationToken), cancellationToken);
        if (json)
        {
            await context.Out.WriteLineAsync(JsonLine.Of(Describe(located.Name, printer)));
        }
        else
        {
            await context.Out.WriteLineAsync();
            await context.Error.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"[{printer.Usage?.PromptTokens} prompt tokens, {printer.TokenIds.Count} generated; first after {printer.FirstTokenSeconds:0.00} s, all after {printer.Seconds:0.00} s, {printer.TokensPerSecond:0.0} tokens/s]"));
        }
        return ExitCodes.Done;
    }

    // One word is taken for the question; where it is a model, the question was forgotten.
    private void RefuseModelAlone(ParseResult parsed, CommandContext context)
    {
        if (parsed.GetRequiredValue(_modelAndPrompt) is [{ } only] && ModelOptions.IsModel(only, context))
        {
            throw new ArgumentException($"'{only}' is a model; add the question: mm run {only} \"What is this?\"");
        }
    }

    private async Task<ModelInput> InputAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        string prompt = parsed.GetRequiredValue(_modelAndPrompt)[^1];
        string[] images = parsed.GetValue(_images) ?? [];
        if (parsed.GetValue(_raw))
        {
            return images.Length == 0 && parsed.GetValue(_system) is null
                ? new ModelInput.Text(prompt)
                : throw new ArgumentException("--raw takes neither --image nor --system: both need the chat template");
        }
        List<MediaItem> media = [];
        foreach (string image in images)
        {
            media.Add(await MediaArguments.PictureAsync(image, cancellationToken));
        }
        var chat = ModelInput.Chat.FromUser(prompt, media);
        return parsed.GetValue(_system) is { } system
            ? chat with { Turns = [new ChatTurn("system", [new ChatPart.Text(system)]), .. chat.Turns] }
            : chat;
    }

    private static object Describe(string model, AnswerPrinter answer) => new
    {
        schema = 1,
        model,
        text = answer.Text,
        token_ids = answer.TokenIds,
        finish_reason = answer.Finish == FinishReason.Length ? "length" : "stop",
        usage = new
        {
            prompt_tokens = answer.Usage?.PromptTokens,
            cached_tokens = answer.Usage?.CachedTokens,
            completion_tokens = answer.TokenIds.Count,
        },
        logprobs = answer.Logprobs.Count == 0 ? null : answer.Logprobs.Select(token => new
        {
            id = token.Chosen.Id,
            logprob = token.Chosen.Logprob,
            top = token.Top.Select(top => new { id = top.Id, logprob = top.Logprob }),
        }),
        first_token_s = Math.Round(answer.FirstTokenSeconds, 3),
        total_s = Math.Round(answer.Seconds, 3),
        tokens_per_s = Math.Round(answer.TokensPerSecond, 2),
    };
}
