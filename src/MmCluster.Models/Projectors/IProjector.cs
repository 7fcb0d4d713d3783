using MmCluster.Tensors;

namespace MmCluster.Models.Projectors;

/// <summary>
/// An input projector: features of an encoder to rows that stand among the backbone's embeddings. Not thread-safe; results belong to the caller's
/// <see cref="TensorScope"/>.
/// </summary>
public interface IProjector : IDisposable
{
    /// <summary>Elements of a projected row.</summary>
    int Width { get; }

    /// <summary>Rows that an item of <paramref name="features"/> features becomes.</summary>
    int Positions(int features);

    /// <summary>[B, N, width of the features] to [B, <see cref="Positions"/>(N), <see cref="Width"/>].</summary>
    Tensor Project(Tensor features);
}
