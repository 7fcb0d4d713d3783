using MmCluster.Tensors;

namespace MmCluster.Models.Layers;

/// <summary>act(gate) * up, fused where there is an operation for it.</summary>
internal static class Gated
{
    public static Tensor Multiply(Tensor gate, Tensor up, Activation activation) => activation switch
    {
        Activation.Silu => Ops.SiluMul(gate, up),
        Activation.Gelu => Ops.GeluMul(gate, up),
        Activation.GeluTanh => Ops.GeluTanhMul(gate, up),
        _ => gate.Activate(activation) * up,
    };
}
