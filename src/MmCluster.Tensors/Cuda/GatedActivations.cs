namespace MmCluster.Tensors.Cuda;

/// <summary>Activations between two products of 16-bit rows (activations.cu). What does not fit is refused, and goes the general way.</summary>
internal sealed class GatedActivations(CudaContext context)
{
    private const int Threads = 128;

    private readonly KernelTable<DType> _gated = new(dtype => context.Kernels.Module("activations", HalfRows.Define(dtype))["gated"]);
    private readonly KernelTable<DType> _biased = new(dtype => context.Kernels.Module("activations", HalfRows.Define(dtype))["biased"]);

    /// <summary>y = activation(gate) * up; gate and up may be halves of one product.</summary>
    internal bool TryGated(Tensor gate, Tensor up, Activation activation, Tensor y)
    {
        if (!HalfRows.TryOf(gate, out HalfRows gates) || !HalfRows.TryOf(up, out HalfRows ups) || !HalfRows.TryOf(y, out HalfRows to)
            || gates.Step != ups.Step || gates.DType != ups.DType || gates.DType != to.DType)
        {
            return false;
        }

        _gated[to.DType].Launch(context.Stream, Shape(to),
            gates.Address, ups.Address, gates.Step, to.Address, to.Step, to.Columns, (int)activation);
        return true;
    }

    /// <summary>y = activation(x + bias); y may be x.</summary>
    internal bool TryBiased(Tensor x, Tensor? bias, Activation activation, Tensor y)
    {
        if (!HalfRows.TryOf(x, out HalfRows from) || !HalfRows.TryOf(y, out HalfRows to) || from.DType != to.DType || !HalfRows.IsVector(bias))
        {
            return false;
        }

        _biased[to.DType].Launch(context.Stream, Shape(to), from.Address, from.Step, bias, to.Address, to.Step, to.Columns, (int)activation);
        return true;
    }

    private static LaunchShape Shape(in HalfRows to) =>
        new((checked((int)to.Rows), ((to.Columns / 8) + Threads - 1) / Threads), Threads) { Overlaps = true };
}
