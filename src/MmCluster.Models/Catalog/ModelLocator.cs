using MmCluster.Models.Cards;
using MmCluster.Models.Hub;

namespace MmCluster.Models.Catalog;

/// <summary>A model that can be loaded: <see cref="LoadedModel.Load"/> takes its folder and card.</summary>
/// <param name="Name">The name to serve it under.</param>
/// <param name="Folder">Where its files are.</param>
/// <param name="Card">Its card, or null for a plain Hugging Face folder.</param>
public sealed record LocatedModel(string Name, string Folder, ModelCard? Card);

/// <summary>Finds the model that a name on the command line or in a configuration means.</summary>
/// <param name="cards">Folder of shipped and own cards (*.yaml); need not exist.</param>
/// <param name="store">Pulled models.</param>
public sealed class ModelLocator(string cards, LocalStore store)
{
    /// <summary>All cards, by name. A card's <c>source</c> that begins with ./ is a folder beside it.</summary>
    /// <exception cref="InvalidDataException">A card is broken; the message has file and line.</exception>
    public IReadOnlyList<ModelCard> Cards => !Directory.Exists(cards)
        ? []
        : [.. Directory.EnumerateFiles(cards, "*.yaml").Select(CardReader.Read).OrderBy(card => card.Name, StringComparer.Ordinal)];

    /// <summary>The model that is meant where none is named: the card that says <c>default: true</c>.</summary>
    /// <exception cref="MmException">NotFound: no card says so.</exception>
    public LocatedModel Default => Cards.FirstOrDefault(card => card.IsDefault) is { } card
        ? new LocatedModel(card.Name, FolderOf(card), card)
        : throw new MmException(MmErrorCode.NotFound, $"no card in {cards} is the default: name a model; known: {Known()}");

    /// <summary>An existing folder, else a card's name, else ORG/NAME in the store.</summary>
    /// <exception cref="MmException">NotFound; the message lists the known names, or says what to pull.</exception>
    public LocatedModel Locate(string model)
    {
        if (Directory.Exists(model))
        {
            return new LocatedModel(NameOf(model), model, null);
        }
        if (Cards.FirstOrDefault(card => card.Name == model) is { } card)
        {
            return new LocatedModel(card.Name, FolderOf(card), card);
        }
        return store.Find(model) is { } pulled
            ? new LocatedModel(pulled.Id.FolderName, Complete(pulled), null)
            : throw new MmException(MmErrorCode.NotFound, $"there is no model '{model}': it is no folder, no card and not in the local store; known: {Known()}")
            {
                Param = "model",
            };
    }

    private string FolderOf(ModelCard card)
    {
        if (card.Source is not { } source)
        {
            throw new MmException(MmErrorCode.NotFound, $"{card.File}: the card names no source; give the model's folder instead of its name");
        }
        if (source.StartsWith("./", StringComparison.Ordinal))
        {
            string folder = Path.GetFullPath(Path.Combine(cards, source));
            return Directory.Exists(folder) ? folder : throw new MmException(MmErrorCode.NotFound, $"{card.File}: there is no folder {folder}");
        }
        return store.Find(source) is { } pulled
            ? Complete(pulled)
            : throw new MmException(MmErrorCode.NotFound, $"the weights of '{card.Name}' are not here yet: run 'mm pull {source}'");
    }

    private static string Complete(StoredModel model) => model.IsComplete
        ? model.Folder
        : throw new MmException(MmErrorCode.NotFound, $"{model.Id} was not pulled to its end: run 'mm pull {model.Id}' again");

    private string Known()
    {
        string[] names = [.. Cards.Select(card => card.Name), .. store.List().Select(model => model.Id.ToString())];
        return names.Length == 0 ? "none; 'mm pull ORG/NAME' fetches one" : string.Join(", ", names);
    }

    private static string NameOf(string folder) => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
}
