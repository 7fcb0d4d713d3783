using MmCluster.Cluster.TensorLink;
using MmCluster.Cluster.TensorLink.Channels;
using MmCluster.Engine;

namespace MmCluster.Cluster.Wire;

/// <summary>What a pipeline shard can hold.</summary>
[GenerateSerializer, Immutable, Alias("mm.ShardFacts")]
internal sealed record ShardFacts(
    int VocabularySize,
    int MaxModelLength,
    int BlockSize,
    int BlockCount,
    long BlockBytes,
    int MaxSlots,
    int MaxBatchedTokens,
    DecoderKind Kind,
    string KvFormat,
    int Width)
{
    public static ShardFacts Of(ExecutorDescription description, int width) => new(
        description.VocabularySize, description.MaxModelLength, description.BlockSize, description.BlockCount, description.BlockBytes, description.MaxSlots,
        description.MaxBatchedTokens, description.Kind, description.KvFormat, width);

    public ExecutorDescription ToDescription() => new(VocabularySize, MaxModelLength, BlockSize, BlockCount, BlockBytes, MaxSlots, MaxBatchedTokens)
    {
        Kind = Kind,
        KvFormat = KvFormat,
    };
}

/// <summary>A <see cref="ChannelRef"/> in a message.</summary>
[GenerateSerializer, Immutable, Alias("mm.ChannelRef")]
internal struct ChannelRefSurrogate
{
    [Id(0)]
    public string Machine;

    [Id(1)]
    public string UnixPath;

    [Id(2)]
    public string Host;

    [Id(3)]
    public int Port;

    [Id(4)]
    public Guid Incarnation;

    [Id(5)]
    public long Id;

    [Id(6)]
    public int Frames;

    [Id(7)]
    public int Rows;

    [Id(8)]
    public int Width;

    [Id(9)]
    public bool TakesDeviceRows;
}

/// <summary>Converts references to channels.</summary>
[RegisterConverter]
internal sealed class ChannelRefConverter : IConverter<ChannelRef, ChannelRefSurrogate>
{
    public ChannelRef ConvertFromSurrogate(in ChannelRefSurrogate surrogate) => new(
        new LinkAddress(surrogate.Machine, surrogate.UnixPath, surrogate.Host, surrogate.Port, surrogate.Incarnation),
        surrogate.Id, new ChannelShape(surrogate.Frames, surrogate.Rows, surrogate.Width))
    {
        TakesDeviceRows = surrogate.TakesDeviceRows,
    };

    public ChannelRefSurrogate ConvertToSurrogate(in ChannelRef value) => new()
    {
        Machine = value.Owner.Machine,
        UnixPath = value.Owner.UnixPath,
        Host = value.Owner.Host,
        Port = value.Owner.Port,
        Incarnation = value.Owner.Incarnation,
        Id = value.Id,
        Frames = value.Shape.Frames,
        Rows = value.Shape.Rows,
        Width = value.Shape.Width,
        TakesDeviceRows = value.TakesDeviceRows,
    };
}
