using MmCluster.Models.Backbones;
using MmCluster.Models.Cards;
using MmCluster.Models.Checkpoints;
using MmCluster.Models.Encoders;
using MmCluster.Tensors;

namespace MmCluster.Models.Catalog;

/// <summary>The networks of a model (or of one stage of it) with their weights. Disposing it frees them.</summary>
public sealed class LoadedModel : IDisposable
{
    private readonly List<MediaPath> _paths = [];

    private readonly Device _device;

    private LoadedModel(string folder, ModelCard card, ModelConfig config, Device device)
    {
        _device = device;
        Folder = folder;
        Card = card;
        Config = config;
        SpecialTokens = SpecialTokenIds.Read(folder, config);
    }

    /// <summary>The folder it was loaded from.</summary>
    public string Folder { get; }

    /// <summary>Its topology.</summary>
    public ModelCard Card { get; }

    /// <summary>Its folder's config.json.</summary>
    public ModelConfig Config { get; }

    /// <summary>Ids that begin and end sequences, as the folder's configurations say.</summary>
    public SpecialTokenIds SpecialTokens { get; }

    /// <summary>Bytes of weights read from files.</summary>
    public long WeightBytes { get; private set; }

    /// <summary>Bytes that its weights take on their device, in the formats they are kept in.</summary>
    public long HeldBytes { get; private set; }

    /// <summary>The language model, where loaded.</summary>
    public IBackbone? Backbone { get; private set; }

    /// <summary>What turns media into rows for the backbone: one path an encoder.</summary>
    public IReadOnlyList<MediaPath> Paths => _paths;

    /// <summary>The card of a folder: made from its config.json.</summary>
    /// <exception cref="FileNotFoundException">No config.json.</exception>
    /// <exception cref="NotSupportedException">An unknown architecture; the message lists the known ones.</exception>
    public static ModelCard CardOf(string folder) =>
        Architectures.CardFor(ModelConfig.Read(Path.Combine(folder, "config.json")), NameOf(folder));

    /// <summary>Loads a model from a folder with config.json and a checkpoint. Call it outside any tensor scope.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="options">What is loaded, and how.</param>
    /// <param name="card">Its topology; null makes it from config.json.</param>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A damaged file, or weights that do not fit the configuration.</exception>
    /// <exception cref="NotSupportedException">An unknown architecture, network, activation, rope type or element type.</exception>
    public static LoadedModel Load(string folder, LoadOptions options, ModelCard? card = null)
    {
        ModelConfig config = ModelConfig.Read(Path.Combine(folder, "config.json"));
        LoadedModel model = new(folder, card ?? Architectures.CardFor(config, NameOf(folder)), config, options.Device);
        try
        {
            model.LoadComponents(folder, options);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Backbone?.Dispose();
        _paths.ForEach(path => path.Dispose());
        _paths.Clear();
        _device.ReleaseCached();
    }

    private static string NameOf(string folder) => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));

    private void LoadComponents(string folder, LoadOptions options)
    {
        // Sizes flow backwards too: a projector's output is as wide as the backbone's embeddings, so the backbone is declared first.
        Dictionary<string, WeightGroup> groups = [];
        try
        {
            foreach (ComponentCard component in Card.Components)
            {
                string source = component.Weights ?? "";
                if (!groups.TryGetValue(source, out WeightGroup? group))
                {
                    groups[source] = group = new WeightGroup(WeightGroup.FolderOf(folder, component, options), Card.Components.Where(other => (other.Weights ?? "") == source), options);
                }
                if (options.Components?.Invoke(component) == false)
                {
                    group.LeaveOut(component);
                }
            }
            Declare(groups, options);
            foreach (WeightGroup group in groups.Values)
            {
                WeightBytes += group.Load();
                HeldBytes += group.HeldBytes;
            }
        }
        finally
        {
            foreach (WeightGroup group in groups.Values)
            {
                group.Dispose();
            }
        }
    }

    private void Declare(Dictionary<string, WeightGroup> groups, LoadOptions options)
    {
        ComponentCard[] chosen = [.. Card.Components.Where(component => options.Components?.Invoke(component) != false)];
        foreach (ComponentCard component in chosen.Where(component => component.Kind == ComponentKind.Backbone))
        {
            WeightSource weights = groups[component.Weights ?? ""].Source(component, options);
            ModelConfig config = options.MaxModelLength is { } longest ? ConfigOf(component).With(LlamaConfig.MaxModelLength, longest) : ConfigOf(component);
            Backbone = Networks.Backbone(component.Network, Card.File)(config, weights, options.Shard);
            if (options.Group is { Size: > 1 and int ranks } && !weights.IsSplit)
            {
                throw new NotSupportedException(
                    $"{Card.File}: network '{component.Network}' cannot be split over {ranks} ranks: its layers declare no tensor-parallel split; run it with a size of 1");
            }
        }
        foreach (ComponentCard component in chosen.Where(component => component.Kind == ComponentKind.Encoder))
        {
            WeightSource weights = groups[component.Weights ?? ""].Source(component, options);
            IEncoder encoder = Networks.Encoder(component.Network, Card.File)(ConfigOf(component), weights);
            _paths.Add(new MediaPath(component, encoder));
        }
        foreach (MediaPath path in _paths)
        {
            DeclareProjectors(path, chosen, groups, options);
        }
    }

    // Projectors one behind the other, from the encoder to the backbone.
    private void DeclareProjectors(MediaPath path, ComponentCard[] chosen, Dictionary<string, WeightGroup> groups, LoadOptions options)
    {
        string from = path.Card.Name;
        while (chosen.FirstOrDefault(component => component.Kind == ComponentKind.Projector && component.From.Contains(from)) is { } component)
        {
            WeightSource weights = groups[component.Weights ?? ""].Source(component, options);
            path.Add(Networks.Projector(component.Network, Card.File)(ConfigOf(component), weights, path.Width, EmbeddingSize()));
            from = component.Name;
        }
    }

    // A projector may stand on another node than the backbone: then the configuration says how wide its output is.
    private int EmbeddingSize() => Backbone?.Spec.EmbeddingSize
        ?? ConfigOf(Card.Backbone ?? throw new InvalidDataException($"{Card.File}: a projector needs a backbone")).Size("hidden_size", "d_model");

    private ModelConfig ConfigOf(ComponentCard component) => (component.Weights is null ? Config.At(component.ConfigSection) : Config).With(component.Config);
}
