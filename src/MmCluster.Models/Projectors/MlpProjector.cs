using MmCluster.Models.Checkpoints;
using MmCluster.Models.Layers;
using MmCluster.Tensors;

namespace MmCluster.Models.Projectors;

/// <summary>LLaVA-1.5's projector: two linear layers with an activation between, <c>linear_1</c> and <c>linear_2</c>.</summary>
public sealed class MlpProjector : IProjector
{
    private readonly Ownership _owned = new();
    private readonly Linear _first;
    private readonly Linear _second;
    private readonly Activation _activation;

    /// <summary>Declares its weights.</summary>
    /// <param name="config"><c>projector_hidden_act</c> and <c>multimodal_projector_bias</c>.</param>
    /// <param name="weights">Where they lie.</param>
    /// <param name="inputs">Width of the features.</param>
    /// <param name="outputs">Width of the backbone's embeddings.</param>
    public MlpProjector(ModelConfig config, WeightSource weights, int inputs, int outputs)
    {
        weights = weights.OwnedBy(_owned);
        bool bias = config.BoolOr(true, "multimodal_projector_bias");
        _activation = Activations.Read(config, "gelu", "projector_hidden_act");
        _first = new Linear(weights["linear_1"], inputs, outputs, bias);
        _second = new Linear(weights["linear_2"], outputs, outputs, bias);
        Width = outputs;
    }

    /// <inheritdoc/>
    public int Width { get; }

    /// <inheritdoc/>
    public int Positions(int features) => features;

    /// <inheritdoc/>
    public Tensor Project(Tensor features, Tensor? instruction = null, Tensor? instructionMask = null) => _second.Forward(_first.Forward(features, _activation));

    /// <inheritdoc/>
    public void Dispose() => _owned.Dispose();
}
