namespace MmCluster.Tensors;

public sealed unsafe partial class Tensor
{
    /// <summary>Bytes of the elements, when they lie densely.</summary>
    public long Bytes => DType.Bytes(ElementCount);

    /// <summary>
    /// Address of the first element of a dense tensor on the CPU, for system calls that read or fill memory. Valid as long as the tensor is.
    /// </summary>
    /// <exception cref="InvalidOperationException">Not dense, or on another device.</exception>
    public nint DenseAddress => IsContiguous && Device.IsCpu
        ? (nint)Data
        : throw new InvalidOperationException($"dense address: {this} is {(Device.IsCpu ? "strided" : "not in this process's memory")}; make it contiguous on the CPU first");
}
