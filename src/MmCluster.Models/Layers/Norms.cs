using MmCluster.Models.Checkpoints;
using MmCluster.Tensors;

namespace MmCluster.Models.Layers;

/// <summary>x / rms(x) * weight over the last dimension.</summary>
internal sealed class RmsNorm(WeightSource weights, int size, float epsilon)
{
    private readonly Parameter _weight = new(weights, "weight", size);

    public Tensor Weight => _weight.Value;

    public float Epsilon => epsilon;

    public Tensor Forward(Tensor x) => x.RmsNorm(Weight, Epsilon);
}

/// <summary>(x - mean) / std * weight + bias over the last dimension; without weight and bias where the configuration says so.</summary>
internal sealed class LayerNorm(WeightSource weights, int size, float epsilon, bool affine = true)
{
    private readonly Parameter? _weight = affine ? new(weights, "weight", size) : null;
    private readonly Parameter? _bias = affine ? new(weights, "bias", size) : null;

    public Tensor Forward(Tensor x) => x.LayerNorm(_weight?.Value, _bias?.Value, epsilon);
}
