namespace MmCluster.Tensors;

/// <summary>
/// What a device does. Shapes, dtypes and overlap are checked above it (<see cref="Ops"/>); outputs come allocated. Tensors may be strided
/// unless a member says otherwise.
/// </summary>
internal interface IBackend
{
    /// <summary>Copies equal shapes, converting the element type.</summary>
    void Copy(Tensor source, Tensor destination);
}
