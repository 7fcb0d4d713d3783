using MmCluster.Cluster.Deployment;
using MmCluster.Cluster.Status;

namespace MmCluster.Cluster.Wire;

/// <summary>What a stage is.</summary>
[GenerateSerializer, Alias("mm.StageKind")]
internal enum StageKind
{
    /// <summary>Media to rows for backbones.</summary>
    Encoder,

    /// <summary>Scheduler, KV cache and the language model, or its first shard.</summary>
    Backbone,

    /// <summary>A later shard of a backbone.</summary>
    Shard,

    /// <summary>Conditions to media.</summary>
    Generator,
}

/// <summary>A stage that is to run on a node.</summary>
[GenerateSerializer, Immutable, Alias("mm.StageSpec")]
internal sealed record StageSpec
{
    /// <summary>The key of its grain.</summary>
    [Id(0)]
    public required string Key { get; init; }

    [Id(1)]
    public required StageKind Kind { get; init; }

    /// <summary>The model, or the first of those that share it.</summary>
    [Id(2)]
    public required ModelDeployment Deployment { get; init; }

    /// <summary>The model's revision.</summary>
    [Id(3)]
    public required string Revision { get; init; }

    /// <summary>The component's name in the card, or <see cref="ModelDeployment.BackboneComponent"/>.</summary>
    [Id(4)]
    public required string Component { get; init; }

    [Id(5)]
    public int Replica { get; init; }

    [Id(6)]
    public int Shard { get; init; }

    [Id(7)]
    public string Device { get; init; } = "cpu";

    /// <summary>Memory that it is thought to need of each of its devices; it says itself what it took once it is loaded.</summary>
    [Id(8)]
    public long Bytes { get; init; }

    /// <summary>Of a shared stage: what names it whatever model uses it.</summary>
    [Id(9)]
    public string Digest { get; init; } = "";

    /// <summary>Bytes of a GPU that a KV cache which takes what is left leaves to the model's stages that are still to come.</summary>
    [Id(10)]
    public long KeptBytes { get; init; }

    /// <summary>GPUs that it takes behind <see cref="Device"/>, a tensor-parallel rank on each.</summary>
    [Id(11)]
    public int FurtherDevices { get; init; }

    /// <summary>Devices of its node that it takes.</summary>
    public int DeviceCount => 1 + FurtherDevices;
}

/// <summary>A stage as its node sees it, with what routes need.</summary>
[GenerateSerializer, Immutable, Alias("mm.StageView")]
internal sealed record StageView
{
    [Id(0)]
    public required StageKind Kind { get; init; }

    [Id(1)]
    public required StageStatus Status { get; init; }

    [Id(2)]
    public string Digest { get; init; } = "";

    /// <summary>Of a backbone that is loaded.</summary>
    [Id(3)]
    public BackboneFacts? Facts { get; init; }

    /// <summary>Of an encoder: what it is to each model that uses it.</summary>
    [Id(4)]
    public EncoderUse[] Uses { get; init; } = [];

    /// <summary>Of a stage that has failed: whether it had been ready. It is replaced at once.</summary>
    [Id(5)]
    public bool IsBroken { get; init; }
}

/// <summary>What an encoder is to one model.</summary>
[GenerateSerializer, Immutable, Alias("mm.EncoderUse")]
internal sealed record EncoderUse(string Model, string Revision, string Component, int Positions, bool Ready)
{
    /// <summary>Elements of a row that the model's backbone gets; 0 where the node is of a release that does not tell.</summary>
    [Id(0)]
    public int Width { get; init; }

    /// <summary>Rows of the pictures that the encoder takes.</summary>
    [Id(1)]
    public int InputHeight { get; init; }

    /// <summary>Pixels of such a row.</summary>
    [Id(2)]
    public int InputWidth { get; init; }
}

/// <summary>A node and its stages.</summary>
[GenerateSerializer, Immutable, Alias("mm.NodeView")]
internal sealed record NodeView(NodeStatus Status, StageView[] Stages);
