using MmCluster.Tensors;

namespace MmCluster.Models.Checkpoints;

/// <summary>How a network's weights are kept.</summary>
public sealed record WeightOptions
{
    /// <summary>Format of matrices: F32, BF16, Q8_0 or Q4_0; on a GPU also F16 and F8E4M3. Vectors are always F32.</summary>
    public DType Matrices { get; init; } = DType.F32;

    /// <summary>Where they are.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>The ranks that parallel layers are split over, and which of them this is; null keeps every layer whole.</summary>
    public ProcessGroup? Group { get; init; }

    /// <summary>The type of rows between layers: F32 on the processor, the matrices' on a GPU, BF16 where those are no floats.</summary>
    public DType ActivationType => Device.IsCpu ? DType.F32 : Matrices.IsFloat() ? Matrices : DType.BF16;
}
