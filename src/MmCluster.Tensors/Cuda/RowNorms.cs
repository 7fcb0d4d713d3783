namespace MmCluster.Tensors.Cuda;

/// <summary>RMSNorm and LayerNorm of 16-bit rows (norms.cu), near the speed of memory. What does not fit is refused, and goes the general way.</summary>
internal sealed class RowNorms(CudaContext context)
{
    private const int VectorsAThread = 4;
    private const int MaxColumns = 8 * VectorsAThread * 1024;

    private readonly KernelTable<DType> _rms = new(dtype => context.Kernels.Module("norms", HalfRows.Define(dtype))["rms_norm"]);
    private readonly KernelTable<DType> _layer = new(dtype => context.Kernels.Module("norms", HalfRows.Define(dtype))["layer_norm"]);

    /// <summary>y = x / √(mean(x²) + eps) gain; with a residual, x is added to it first: residual += x; y = the norm of residual.</summary>
    internal bool TryRmsNorm(Tensor x, Tensor? residual, Tensor? gain, Tensor y, float eps)
    {
        if (!TryShape(x, residual, gain, null, y, out HalfRows from, out HalfRows sum, out HalfRows to, out LaunchShape shape))
        {
            return false;
        }

        _rms[from.DType].Launch(context.Stream, shape,
            from.Address, from.Step, sum.Address, sum.Step, gain, to.Address, to.Step, from.Rows, from.Columns, eps);
        return true;
    }

    /// <summary>y = (x - mean) / √(variance + eps) gain + bias; with a residual, of residual += x.</summary>
    internal bool TryLayerNorm(Tensor x, Tensor? residual, Tensor? gain, Tensor? bias, Tensor y, float eps)
    {
        if (!TryShape(x, residual, gain, bias, y, out HalfRows from, out HalfRows sum, out HalfRows to, out LaunchShape shape))
        {
            return false;
        }

        _layer[from.DType].Launch(context.Stream, shape,
            from.Address, from.Step, sum.Address, sum.Step, gain, bias, to.Address, to.Step, from.Rows, from.Columns, eps);
        return true;
    }

    private static bool TryShape(
        Tensor x, Tensor? residual, Tensor? gain, Tensor? bias, Tensor y, out HalfRows from, out HalfRows sum, out HalfRows to, out LaunchShape shape)
    {
        (sum, to, shape) = (default, default, default);
        if (!HalfRows.TryOf(x, out from) || from.Columns > MaxColumns || !HalfRows.TryOf(y, out to) || to.DType != from.DType
            || (residual is not null && (!HalfRows.TryOf(residual, out sum) || sum.DType != from.DType)) || !HalfRows.IsVector(gain) || !HalfRows.IsVector(bias))
        {
            return false;
        }

        // A warp a row where it is short, else as few warps as hold it: by its length alone, so that sums do not depend on how many rows there are.
        const int Warp = 32 * 8 * VectorsAThread;
        int threads = from.Columns <= Warp ? 32 : Math.Max(128, (from.Columns + Warp - 1) / Warp * 32);
        int rows = threads == 32 ? 4 : 1;
        shape = new LaunchShape((from.Rows + rows - 1) / rows, (threads, rows), 0) { Overlaps = true };
        return true;
    }
}
