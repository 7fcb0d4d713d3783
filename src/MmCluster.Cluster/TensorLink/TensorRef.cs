using MmCluster.Tensors;

namespace MmCluster.Cluster.TensorLink;

/// <summary>
/// Names a tensor that some silo holds under a lease. Small enough for a grain call; whoever has it pulls the tensor through its own
/// <see cref="TensorLinkEndpoint"/>.
/// </summary>
/// <param name="Owner">Where the tensor is.</param>
/// <param name="Id">Which of the owner's leases.</param>
/// <param name="DType">Element type.</param>
/// <param name="Shape">Dimensions; the tensor is dense and row-major.</param>
/// <param name="Bytes">Size of its data.</param>
/// <param name="ContentHash">128 bits over what it was made from, or zero.</param>
public sealed record TensorRef(LinkAddress Owner, long Id, DType DType, Shape Shape, long Bytes, UInt128 ContentHash);

/// <summary>Where a silo's endpoint is reached.</summary>
/// <param name="Machine">Equal on endpoints that share memory.</param>
/// <param name="UnixPath">Its socket on that machine.</param>
/// <param name="Host">Address for other machines.</param>
/// <param name="Port">TCP port for other machines.</param>
/// <param name="Incarnation">New with every start: a reference to an earlier life of the silo fails instead of finding another tensor.</param>
public sealed record LinkAddress(string Machine, string UnixPath, string Host, int Port, Guid Incarnation);
