using MmCluster.Cluster.TensorLink;
using MmCluster.Tensors;

namespace MmCluster.Cluster.Wire;

/// <summary>A <see cref="TensorRef"/> in a message; the receiver checks it against the owner's lease when it pulls.</summary>
[GenerateSerializer, Immutable, Alias("mm.TensorRef")]
internal struct TensorRefSurrogate
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
    public DType DType;

    [Id(7), Immutable]
    public int[] Shape;

    [Id(8)]
    public long Bytes;

    [Id(9)]
    public UInt128 ContentHash;
}

/// <summary>Converts references.</summary>
[RegisterConverter]
internal sealed class TensorRefConverter : IConverter<TensorRef, TensorRefSurrogate>
{
    public TensorRef ConvertFromSurrogate(in TensorRefSurrogate surrogate) => new(
        new LinkAddress(surrogate.Machine, surrogate.UnixPath, surrogate.Host, surrogate.Port, surrogate.Incarnation),
        surrogate.Id, surrogate.DType, new Shape(surrogate.Shape), surrogate.Bytes, surrogate.ContentHash);

    public TensorRefSurrogate ConvertToSurrogate(in TensorRef value) => new()
    {
        Machine = value.Owner.Machine,
        UnixPath = value.Owner.UnixPath,
        Host = value.Owner.Host,
        Port = value.Owner.Port,
        Incarnation = value.Owner.Incarnation,
        Id = value.Id,
        DType = value.DType,
        Shape = value.Shape.AsSpan().ToArray(),
        Bytes = value.Bytes,
        ContentHash = value.ContentHash,
    };
}
