using MmCluster.Tensors;

namespace MmCluster.Models.Checkpoints;

/// <summary>How a network's weights are kept.</summary>
public sealed record WeightOptions
{
    /// <summary>Format of matrices: F32, BF16, Q8_0 or Q4_0. Vectors are always F32.</summary>
    public DType Matrices { get; init; } = DType.F32;

    /// <summary>Where they are.</summary>
    public Device Device { get; init; } = Device.Cpu;
}
