using MmCluster.Models.Cards;
using MmCluster.Models.Checkpoints;

namespace MmCluster.Models.Catalog;

/// <summary>The components that share one checkpoint: it is read strictly over all of them.</summary>
internal sealed class WeightGroup : IDisposable
{
    private readonly Checkpoint _checkpoint;
    private readonly KeyMap _map;
    private readonly List<WeightLoader> _loaders = [];
    private readonly List<string> _prefixes = [];

    public WeightGroup(string folder, IEnumerable<ComponentCard> components, LoadOptions options)
    {
        _map = components.Aggregate(new KeyMap(), (map, component) => map.Then(component.Keys));
        _checkpoint = options.Format == LoadFormat.Dummy ? Checkpoint.Dummy(folder, options.DummySeed) : Checkpoint.Open(folder);
    }

    /// <summary>Where a component's checkpoint is.</summary>
    /// <exception cref="FileNotFoundException">It has weights of its own that are nowhere.</exception>
    public static string FolderOf(string folder, ComponentCard component, LoadOptions options)
    {
        if (component.Weights is not { } source || options.Format == LoadFormat.Dummy)
        {
            return folder;
        }
        string below = Path.Combine(folder, source);
        return Directory.Exists(below) ? below
            : options.Resolve?.Invoke(source) ?? throw new FileNotFoundException($"{folder}: component '{component.Name}' needs the weights of {source}; pull them first");
    }

    /// <summary>Where a component's weights start.</summary>
    public WeightSource Source(ComponentCard component, LoadOptions options)
    {
        // One loader for each format; what belongs to the others stays unread in it.
        WeightOptions weights = options.For(component.Kind);
        WeightLoader? loader = _loaders.Find(known => known.Options == weights);
        if (loader is null)
        {
            loader = new WeightLoader(_checkpoint, _map, weights);
            _loaders.Add(loader);
        }
        WeightSource source = loader.Root;
        foreach (string name in component.Prefix.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            source = source[name];
        }
        return source;
    }

    /// <summary>Lets a component's weights stay unread.</summary>
    public void LeaveOut(ComponentCard component) => _prefixes.Add(component.Prefix);

    /// <summary>Reads what was declared; gives the bytes read from files.</summary>
    public long Load() => WeightLoader.Load(_checkpoint, _loaders, _prefixes);

    /// <summary>Bytes that what was read takes on its device.</summary>
    public long HeldBytes => _loaders.Sum(loader => loader.HeldBytes);

    public void Dispose() => _checkpoint.Dispose();
}
