using MmCluster.Models.Backbones;
using MmCluster.Models.Cards;
using MmCluster.Models.Checkpoints;
using MmCluster.Tensors;

namespace MmCluster.Models.Catalog;

/// <summary>What of a model is loaded, and how.</summary>
public sealed record LoadOptions
{
    /// <summary>Format of the backbone's matrices: F32, BF16, Q8_0 or Q4_0; on a GPU also F16 and F8E4M3.</summary>
    public DType Backbone { get; init; } = DType.BF16;

    /// <summary>Format of encoders' and projectors' matrices; null takes the backbone's where that is F32 or BF16, else BF16.</summary>
    public DType? Encoders { get; init; }

    /// <summary>Where values come from. Default: the folder's checkpoint.</summary>
    public LoadFormat Format { get; init; }

    /// <summary>Which values <see cref="LoadFormat.Dummy"/> makes.</summary>
    public ulong DummySeed { get; init; }

    /// <summary>Where the weights are.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>Layers of the backbone that are loaded: a pipeline shard.</summary>
    public LayerRange Shard { get; init; } = LayerRange.All;

    /// <summary>The ranks that the backbone's layers are split over, and which of them is loaded; null loads them whole.</summary>
    public ProcessGroup? Group { get; init; }

    /// <summary>Longest sequence that will be served, or null for the network's own: position tables are made to it.</summary>
    public int? MaxModelLength { get; init; }

    /// <summary>Which components are loaded; null loads all. A stage that stands alone loads its own.</summary>
    public Func<ComponentCard, bool>? Components { get; init; }

    /// <summary>
    /// Turns a component's <c>weights</c> (ORG/NAME) into a folder, from the local store. Without it, components with weights of their own cannot be loaded.
    /// </summary>
    public Func<string, string>? Resolve { get; init; }

    internal WeightOptions For(ComponentKind kind) => new()
    {
        Device = Device,
        Group = kind == ComponentKind.Backbone ? Group : null,
        Matrices = kind == ComponentKind.Backbone ? Backbone : Encoders ?? (Backbone == DType.F32 ? DType.F32 : DType.BF16),
    };
}

/// <summary>Where the values of weights come from; the names are those of vLLM's <c>--load-format</c>.</summary>
public enum LoadFormat
{
    /// <summary>The checkpoint in the folder.</summary>
    Auto,

    /// <summary>Made from a seed: config.json is all that the folder needs. For measuring speed.</summary>
    Dummy,
}
