using System.Text;

namespace MmCluster.Models.Checkpoints;

/// <summary>
/// Strict loading in two steps: networks declare every tensor they need while they are built, then <see cref="Load()"/> checks all of them
/// against the checkpoint at once and fills them in. Missing, unread and wrongly shaped tensors are listed in one error, before any is read.
/// </summary>
public sealed class WeightLoader
{
    private const int Listed = 20;

    private readonly Checkpoint _checkpoint;
    private readonly KeyMap _map;
    private readonly Dictionary<string, StoredTensor> _tensors = [];
    private readonly List<Declaration> _declared = [];
    private readonly List<string> _leftOut = [];

    /// <summary>Prepares to read <paramref name="checkpoint"/>, its keys renamed by <paramref name="map"/>.</summary>
    /// <exception cref="InvalidDataException">Two keys get the same name.</exception>
    public WeightLoader(Checkpoint checkpoint, KeyMap map, WeightOptions options)
    {
        _checkpoint = checkpoint;
        _map = map;
        Options = options;
        foreach ((string key, StoredTensor tensor) in checkpoint.Tensors)
        {
            string name = map.Map(key);
            if (!_tensors.TryAdd(name, tensor))
            {
                throw new InvalidDataException($"{checkpoint.Path}: '{key}' and '{_tensors[name].Key}' both mean {name}");
            }
        }
    }

    /// <summary>How weights are kept.</summary>
    public WeightOptions Options { get; }

    /// <summary>The cursor at the root of the names.</summary>
    public WeightSource Root => new(this, null, "");

    /// <summary>Names (mapped) that the checkpoint has.</summary>
    public IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <summary>Lets what begins with <paramref name="prefix"/> stay unread: another shard or another part of the model loads it.</summary>
    public void LeaveOut(string prefix) => _leftOut.Add(prefix);

    /// <summary>Bytes that what was loaded takes on its device, in the formats it is kept in.</summary>
    internal long HeldBytes { get; set; }

    /// <summary>Whether a layer was declared that can be split over ranks.</summary>
    internal bool IsSplit { get; set; }

    internal StoredTensor? Find(string name) => _tensors.GetValueOrDefault(name);

    internal void Declare(string[] names, long[][] shapes, TensorPart[]? parts, Action<StoredTensor[]> fill)
    {
        if (_checkpoint.DummySeed is { } seed)
        {
            foreach ((string name, long[] shape) in names.Zip(shapes))
            {
                _tensors.TryAdd(name, StoredTensor.Dummy(name, shape, seed));
            }
        }
        _declared.Add(new Declaration(names, shapes, parts, fill));
    }

    /// <summary>Checks everything declared, then reads it. Call it outside any tensor scope: the tensors live as long as the network.</summary>
    /// <returns>Bytes read from files.</returns>
    /// <exception cref="InvalidDataException">Listing missing, wrongly shaped and unread tensors.</exception>
    public long Load() => Load(_checkpoint, [this], []);

    /// <summary>Loads what several loaders declared over one checkpoint (parts kept in different formats), strictly over all of them.</summary>
    /// <exception cref="InvalidDataException">Listing missing, wrongly shaped and unread tensors.</exception>
    /// <returns>Bytes read from files.</returns>
    internal static long Load(Checkpoint checkpoint, IReadOnlyList<WeightLoader> loaders, IReadOnlyList<string> leftOut)
    {
        Check(checkpoint, loaders, leftOut);
        long bytes = 0;
        foreach (WeightLoader loader in loaders)
        {
            foreach (Declaration declaration in loader._declared)
            {
                StoredTensor[] tensors = [.. declaration.Names.Select((name, i) => declaration.Parts is { } parts ? loader._tensors[name].Narrow(parts[i]) : loader._tensors[name])];
                declaration.Fill(tensors);
                foreach (StoredTensor tensor in tensors)
                {
                    bytes += tensor.Made is null ? tensor.Bytes : 0;
                    StoredTensor read = tensor.Whole ?? tensor; // columns of it lie on pages of others
                    read.Release(0, read.ElementCount);
                }
            }
            loader._declared.Clear();
        }
        return bytes;
    }

    private static void Check(Checkpoint checkpoint, IReadOnlyList<WeightLoader> loaders, IReadOnlyList<string> leftOut)
    {
        List<string> missing = [];
        List<string> misshapen = [];
        HashSet<string> read = [];
        foreach (WeightLoader loader in loaders)
        {
            foreach ((string name, long[] shape) in loader._declared.SelectMany(declaration => declaration.Names.Zip(declaration.Shapes)))
            {
                read.Add(name);
                if (loader.Find(name) is not { } tensor)
                {
                    missing.Add(name);
                }
                else if (!tensor.Shape.SequenceEqual(shape))
                {
                    misshapen.Add($"{tensor.Key} is [{string.Join(", ", tensor.Shape)}], expected [{string.Join(", ", shape)}]");
                }
            }
        }
        List<string> unread = loaders.Count == 0 ? [] : [.. loaders[0]._tensors
            .Where(entry => !read.Contains(entry.Key)
                && !loaders.Any(loader => loader.MayStayUnread(entry.Key))
                && !leftOut.Any(prefix => entry.Key.StartsWith(prefix, StringComparison.Ordinal)))
            .Select(entry => entry.Value.Key)];
        if (missing.Count + misshapen.Count + unread.Count > 0)
        {
            StringBuilder message = new($"{checkpoint.Path}: the weights do not fit the configuration");
            Append(message, "missing", missing);
            Append(message, "wrong shape", misshapen);
            Append(message, "unread", unread);
            throw new InvalidDataException(message.ToString());
        }
    }

    private bool MayStayUnread(string name) =>
        _map.IsIgnored(name) || _leftOut.Exists(prefix => name.StartsWith(prefix, StringComparison.Ordinal));

    private static void Append(StringBuilder message, string what, List<string> names)
    {
        if (names.Count > 0)
        {
            string rest = names.Count > Listed ? $", and {names.Count - Listed} more" : "";
            message.Append(System.Globalization.CultureInfo.InvariantCulture,
                $"; {what} ({names.Count}): {string.Join(", ", names.Order(StringComparer.Ordinal).Take(Listed))}{rest}");
        }
    }

    private readonly record struct Declaration(string[] Names, long[][] Shapes, TensorPart[]? Parts, Action<StoredTensor[]> Fill);
}
