using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Projectors;

/// <summary>LLaVA v1's projector: one linear layer (so is what follows BLIP-2's Q-Former).</summary>
public sealed class LinearProjector : IProjector
{
    private readonly Ownership _owned = new();
    private readonly Linear _linear;

    /// <summary>Declares its weights.</summary>
    /// <param name="config"><c>multimodal_projector_bias</c>.</param>
    /// <param name="weights">Where <c>weight</c> and <c>bias</c> lie.</param>
    /// <param name="inputs">Width of the features.</param>
    /// <param name="outputs">Width of the backbone's embeddings.</param>
    public LinearProjector(ModelConfig config, WeightSource weights, int inputs, int outputs)
    {
        _linear = new Linear(weights.OwnedBy(_owned), inputs, outputs, config.BoolOr(true, "multimodal_projector_bias"));
        Width = outputs;
    }

    /// <inheritdoc/>
    public int Width { get; }

    /// <inheritdoc/>
    public int Positions(int features) => features;

    /// <inheritdoc/>
    public Tensor Project(Tensor features, Tensor? instruction = null, Tensor? instructionMask = null) => _linear.Forward(features);

    /// <inheritdoc/>
    public void Dispose() => _owned.Dispose();
}
