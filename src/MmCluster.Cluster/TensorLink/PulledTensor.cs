using MmCluster.Tensors;

namespace MmCluster.Cluster.TensorLink;

/// <summary>
/// A tensor obtained from another stage. Where it lies in shared memory it is read-only and keeps the owner from freeing it until this is disposed;
/// so is one of the same process.
/// </summary>
public sealed class PulledTensor : IDisposable
{
    private Action? _letGo;

    internal PulledTensor(Tensor tensor, Action letGo) => (Tensor, _letGo) = (tensor, letGo);

    /// <summary>The tensor; valid until this is disposed.</summary>
    public Tensor Tensor { get; }

    /// <summary>Lets go of it; a second call does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _letGo, null) is { } letGo)
        {
            Tensor.Dispose();
            letGo();
        }
    }
}
