using System.CommandLine;
using MmCluster.Cli.Hosting;
using MmCluster.Models.Cards;
using MmCluster.Models.Catalog;
using MmCluster.Models.Hub;

namespace MmCluster.Cli.Commands;

/// <summary><c>mm models</c>: what can be run.</summary>
internal sealed class ModelsCommand : Command
{
    public ModelsCommand(CommandContext context)
        : base("models", "List cards and pulled models.") =>
        SetAction((parsed, _) => RunAsync(parsed, context));

    private static async Task<int> RunAsync(ParseResult parsed, CommandContext context)
    {
        LocalStore store = LocalStore.FromEnvironment(context.Environment);
        IReadOnlyList<ModelCard> cards = new ModelLocator(context.Cards, store).Cards;
        IReadOnlyList<StoredModel> pulled = store.List();
        if (parsed.GetValue(GlobalOptions.Json))
        {
            await context.Out.WriteLineAsync(JsonLine.Of(new
            {
                schema = 1,
                cards = cards.Select(card => new { name = card.Name, description = card.Description, source = card.Source, here = IsHere(card, store) }),
                store = pulled.Select(model => new { name = model.Id.ToString(), folder = model.Folder, commit = model.Commit, complete = model.IsComplete, bytes = model.Bytes }),
            }));
            return ExitCodes.Done;
        }
        foreach (ModelCard card in cards)
        {
            string state = IsHere(card, store) ? "ready" : $"mm pull {card.Source}";
            await context.Out.WriteLineAsync($"{card.Name,-24} {card.Description}  ({state})");
        }
        foreach (StoredModel model in pulled)
        {
            await context.Out.WriteLineAsync($"{model.Id,-24} {ByteSize.Text(model.Bytes)}{(model.IsComplete ? "" : ", not complete: pull it again")}");
        }
        return ExitCodes.Done;
    }

    private static bool IsHere(ModelCard card, LocalStore store) =>
        card.Source is { } source && (source.StartsWith("./", StringComparison.Ordinal) || store.Find(source) is { IsComplete: true });
}
