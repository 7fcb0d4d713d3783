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

    /// <summary>Whether <see cref="Project"/> needs the instruction's ids (InstructBLIP's Q-Former reads them).</summary>
    bool ReadsInstruction => false;

    /// <summary>[B, N, width of the features] to [B, <see cref="Positions"/>(N), <see cref="Width"/>].</summary>
    /// <param name="features">An encoder's output.</param>
    /// <param name="instruction">[B, L] I32 ids in the projector's own vocabulary, where it <see cref="ReadsInstruction"/>; else not looked at.</param>
    /// <param name="instructionMask">[B, L] I32, nonzero where the instruction is text; null where all of it is.</param>
    Tensor Project(Tensor features, Tensor? instruction = null, Tensor? instructionMask = null);
}
