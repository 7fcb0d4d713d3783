namespace MmCluster.Tensors;

/// <summary>A strided view of native memory on one device.</summary>
public sealed class Tensor
{
    private Tensor()
    {
    }
}
