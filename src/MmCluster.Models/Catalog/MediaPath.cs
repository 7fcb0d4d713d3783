using MmCluster.Models.Cards;
using MmCluster.Models.Encoders;
using MmCluster.Models.Projectors;
using MmCluster.Tensors;

namespace MmCluster.Models.Catalog;

/// <summary>An encoder and the projectors behind it: media to rows that stand among the backbone's embeddings. Not thread-safe.</summary>
public sealed class MediaPath : IDisposable
{
    private readonly List<IProjector> _projectors = [];

    internal MediaPath(ComponentCard card, IEncoder encoder)
    {
        Card = card;
        Encoder = encoder;
    }

    /// <summary>The encoder's card.</summary>
    public ComponentCard Card { get; }

    /// <summary>The encoder.</summary>
    public IEncoder Encoder { get; }

    /// <summary>The projectors, in order; none where the encoder feeds the backbone itself.</summary>
    public IReadOnlyList<IProjector> Projectors => _projectors;

    /// <summary>Rows an item becomes: the positions it takes in the prompt.</summary>
    public int Positions => _projectors.Aggregate(Encoder.Spec.Positions, (positions, projector) => projector.Positions(positions));

    /// <summary>Elements of a row.</summary>
    public int Width => _projectors.Count > 0 ? _projectors[^1].Width : Encoder.Spec.Width;

    /// <summary>Whether a projector needs the instruction's ids.</summary>
    public bool ReadsInstruction => _projectors.Exists(projector => projector.ReadsInstruction);

    /// <summary>Encodes and projects a batch of items of one shape to [B, <see cref="Positions"/>, <see cref="Width"/>].</summary>
    /// <param name="input">Preprocessed media.</param>
    /// <exception cref="ArgumentException">A shape that the encoder does not take, or a projector <see cref="ReadsInstruction"/>.</exception>
    public Tensor Features(Tensor input) => Features(input, null);

    /// <inheritdoc cref="Features(Tensor)"/>
    /// <param name="input">Preprocessed media.</param>
    /// <param name="instruction">[B, L] ids for a projector that reads them; else null.</param>
    /// <param name="instructionMask">[B, L], nonzero where the instruction is text; null where all of it is.</param>
    public Tensor Features(Tensor input, Tensor? instruction, Tensor? instructionMask = null)
    {
        using var scope = new TensorScope();
        Tensor features = Encoder.Encode(input);
        foreach (IProjector projector in _projectors)
        {
            features = projector.Project(features, instruction, instructionMask);
        }
        return scope.Keep(features);
    }

    internal void Add(IProjector projector) => _projectors.Add(projector);

    /// <inheritdoc/>
    public void Dispose()
    {
        Encoder.Dispose();
        _projectors.ForEach(projector => projector.Dispose());
    }
}
