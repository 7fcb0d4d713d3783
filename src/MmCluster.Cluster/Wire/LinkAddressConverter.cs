using MmCluster.Cluster.TensorLink;

namespace MmCluster.Cluster.Wire;

/// <summary>A <see cref="LinkAddress"/> in a message.</summary>
[GenerateSerializer, Immutable, Alias("mm.LinkAddress")]
internal struct LinkAddressSurrogate
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
}

/// <summary>Converts addresses.</summary>
[RegisterConverter]
internal sealed class LinkAddressConverter : IConverter<LinkAddress, LinkAddressSurrogate>
{
    public LinkAddress ConvertFromSurrogate(in LinkAddressSurrogate surrogate) =>
        new(surrogate.Machine, surrogate.UnixPath, surrogate.Host, surrogate.Port, surrogate.Incarnation);

    public LinkAddressSurrogate ConvertToSurrogate(in LinkAddress value) => new()
    {
        Machine = value.Machine,
        UnixPath = value.UnixPath,
        Host = value.Host,
        Port = value.Port,
        Incarnation = value.Incarnation,
    };
}
