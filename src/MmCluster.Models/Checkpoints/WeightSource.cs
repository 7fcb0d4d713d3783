using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Checkpoints;

/// <summary>
/// A place among a checkpoint's names: <c>weights["self_attn"]["q_proj"]</c> is where <c>….self_attn.q_proj.weight</c> lies, so that a network's
/// source spells the checkpoint's keys.
/// </summary>
public readonly struct WeightSource
{
    private readonly WeightLoader _loader;
    private readonly Ownership? _owner;

    internal WeightSource(WeightLoader loader, Ownership? owner, string path)
    {
        _loader = loader;
        _owner = owner;
        Path = path;
    }

    /// <summary>The name so far, without a final dot; empty at the root.</summary>
    public string Path { get; }

    /// <summary>How weights are kept.</summary>
    public WeightOptions Options => _loader.Options;

    /// <summary>A place below this one.</summary>
    public WeightSource this[string name] => new(_loader, _owner, Join(name));

    /// <summary>Entry <paramref name="index"/> of a list.</summary>
    public WeightSource this[int index] => new(_loader, _owner, Join($"{index}"));

    /// <summary>Whether the checkpoint has this tensor.</summary>
    public bool Has(string name) => _loader.Find(Join(name)) is not null;

    /// <summary>The ranks to split a layer over, null where there is one rank; asking declares that the network's layers can be split.</summary>
    internal ProcessGroup? SplitOver()
    {
        _loader.IsSplit = true;
        return Options.Group;
    }

    /// <summary>Whether a layer of what is loaded together can be split over ranks.</summary>
    internal bool IsSplit => _loader.IsSplit;

    /// <summary>Lets a tensor stay unread.</summary>
    internal void LeaveOut(string name) => _loader.LeaveOut(Join(name));

    /// <summary>Lets everything below this place stay unread.</summary>
    public void LeaveOut() => _loader.LeaveOut(Path.Length == 0 ? "" : Path + ".");

    /// <summary>The same place; what is loaded through it belongs to <paramref name="owner"/>.</summary>
    internal WeightSource OwnedBy(Ownership owner) => new(_loader, owner, Path);

    /// <summary>Hands what was loaded to the network that declared it.</summary>
    internal T Own<T>(T item) where T : IDisposable
    {
        _loader.HeldBytes += item switch
        {
            LinearWeight matrix => matrix.Bytes,
            Tensor tensor => tensor.Bytes,
            _ => throw new ArgumentException($"weights are matrices and tensors, got {item.GetType().Name}"),
        };
        return (_owner ?? throw new InvalidOperationException("weights are declared without an owner")).Add(item);
    }

    /// <summary>The tensor as it lies in the file, or null; for deciding how to load, not for loading.</summary>
    internal StoredTensor? Find(string name) => _loader.Find(Join(name));

    /// <summary>Declares tensors that are loaded as one; names start here.</summary>
    /// <param name="names">Their names.</param>
    /// <param name="shapes">Their shapes in the checkpoint.</param>
    /// <param name="parts">What of each is loaded; null loads all of them whole.</param>
    /// <param name="fill">Gets what is to be loaded.</param>
    internal void Declare(string[] names, long[][] shapes, TensorPart[]? parts, Action<StoredTensor[]> fill) =>
        _loader.Declare([.. names.Select(Join)], shapes, parts, fill);

    private string Join(string name) => Path.Length == 0 ? name : $"{Path}.{name}";
}
