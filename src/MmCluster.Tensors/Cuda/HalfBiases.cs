using System.Runtime.CompilerServices;

namespace MmCluster.Tensors.Cuda;

/// <summary>
/// Biases rounded to 16 bits, which is how cuBLASLt adds them in a product's epilogue. A network's biases are F32 and live as long as it does; a copy is
/// made at a bias's first use and goes with it.
/// </summary>
internal sealed unsafe class HalfBiases(CudaContext context)
{
    private readonly ConditionalWeakTable<Tensor, Storage> _copies = [];

    /// <summary>Address of the copy; 0 for a bias that belongs to a scope (a temporary), and during a capture for one that was not used before.</summary>
    internal nint Of(Tensor bias, DType dtype)
    {
        if (bias.Owner is not null || !HalfRows.IsHalf(dtype))
        {
            return 0;
        }

        if (!_copies.TryGetValue(bias, out Storage? copy))
        {
            if (context.Stream.CapturePool is not null)
            {
                return 0;
            }

            long bytes = dtype.Bytes(bias.ElementCount);
            copy = Storage.Of(context.Allocator.Allocate(bytes, keeps: true), bytes);
            using (Tensor target = Tensor.Over(copy, 0, bias.Shape, dtype, bias.Device))
            {
                target.CopyFrom(bias);
            }

            context.Stream.Synchronize(); // other streams will read it
            _copies.AddOrUpdate(bias, copy);
        }

        return (nint)copy.Address;
    }
}
