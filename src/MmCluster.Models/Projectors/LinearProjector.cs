using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Projectors;

/// <summary>LLaVA v1's projector: one linear layer, <c>linear_1</c>.</summary>
public sealed class LinearProjector : IProjector
{
    private readonly Ownership _owned = new();
    private readonly Linear _linear;

    /// <summary>Declares its weights.</summary>
    /// <param name="config"><c>multimodal_projector_bias</c>.</param>
    /// <param name="weights">Where they lie.</param>
    /// <param name="inputs">Width of the features.</param>
    /// <param name="outputs">Width of the backbone's embeddings.</param>
    public LinearProjector(ModelConfig config, WeightSource weights, int inputs, int outputs)
    {
        _linear = new Linear(weights.OwnedBy(_owned)["linear_1"], inputs, outputs, config.BoolOr(true, "multimodal_projector_bias"));
        Width = outputs;
    }

    /// <inheritdoc/>
    public int Width { get; }

    /// <inheritdoc/>
    public int Positions(int features) => features;

    /// <inheritdoc/>
    public Tensor Project(Tensor features) => _linear.Forward(features);

    /// <inheritdoc/>
    public void Dispose() => _owned.Dispose();
}
