using MmCluster.Models.Cards;
using MmCluster.Tensors;

namespace MmCluster.Models.Encoders;

/// <summary>
/// A modality encoder: preprocessed media to features. It knows nothing of batching; any number of items of one shape may come at once. Not thread-safe.
/// Results and temporaries belong to the caller's <see cref="TensorScope"/>.
/// </summary>
public interface IEncoder : IDisposable
{
    /// <summary>What callers must know of it. Constant.</summary>
    EncoderSpec Spec { get; }

    /// <summary>
    /// Encodes a batch: pictures [B, 3, height, width] to features [B, <see cref="EncoderSpec.Positions"/>, <see cref="EncoderSpec.Width"/>].
    /// </summary>
    /// <exception cref="ArgumentException">A shape that the network does not take.</exception>
    Tensor Encode(Tensor input);
}

/// <summary>What callers must know of an encoder.</summary>
/// <param name="Modality">What it takes.</param>
/// <param name="Positions">Features an item gives.</param>
/// <param name="Width">Elements of a feature.</param>
/// <param name="InputHeight">Rows of a picture.</param>
/// <param name="InputWidth">Pixels of a row.</param>
public sealed record EncoderSpec(Modality Modality, int Positions, int Width, int InputHeight, int InputWidth);
