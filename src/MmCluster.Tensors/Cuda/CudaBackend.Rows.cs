namespace MmCluster.Tensors.Cuda;

// Operations on rows along the last axis: a block a row.
internal sealed unsafe partial class CudaBackend
{
    private readonly FloatKernels _rmsNorm;
    private readonly FloatKernels _layerNorm;
    private readonly FloatKernels _softmax;
    private readonly FloatKernels _reduce;

    public void LayerNorm(Tensor x, Tensor? weight, Tensor? bias, Tensor y, float eps)
    {
        if (_norms.TryLayerNorm(x, null, weight, bias, y, eps))
        {
            return;
        }

        int n = x.Shape[^1];
        _layerNorm[x.DType].Launch(Stream, Rows(x), RowThreads(n), 0, x, RowStep(x), weight, bias, y, RowStep(y), n, eps);
    }

    public void RmsNorm(Tensor x, Tensor? weight, Tensor y, float eps)
    {
        if (_norms.TryRmsNorm(x, null, weight, y, eps))
        {
            return;
        }

        int n = x.Shape[^1];
        _rmsNorm[x.DType].Launch(Stream, Rows(x), RowThreads(n), 0, (Tensor?)null, 0L, x, RowStep(x), weight, y, RowStep(y), n, eps);
    }

    public void AddRmsNorm(Tensor x, Tensor residual, Tensor? weight, Tensor y, float eps)
    {
        if (_norms.TryRmsNorm(x, residual, weight, y, eps))
        {
            return;
        }

        int n = x.Shape[^1];
        _rmsNorm[x.DType].Launch(
            Stream, Rows(x), RowThreads(n), 0, residual, RowStep(residual), x, RowStep(x), weight, y, RowStep(y), n, eps);
    }

    public void Softmax(Tensor x, Tensor y, bool logarithm)
    {
        int n = x.Shape[^1];
        _softmax[x.DType].Launch(Stream, Rows(x), RowThreads(n), 0, x, RowStep(x), y, RowStep(y), n, logarithm ? 1 : 0);
    }

    public void Reduce(Reduction reduction, Tensor x, Tensor y)
    {
        int n = x.Shape[^1];
        _reduce[x.DType].Launch(Stream, (Dim3)y.ElementCount, RowThreads(n), 0, (int)reduction, x, RowStep(x), y, n);
    }

    public void TopK(Tensor x, Tensor values, Tensor indices)
    {
        int k = values.Shape[^1];
        if (k > 0)
        {
            _context.Kernels["rows", "top_k"].Launch(Stream, (Dim3)(values.ElementCount / k), Threads256, 0, x, x.Shape[^1], k, values, indices);
        }
    }

    private static Dim3 Rows(Tensor x) => x.Shape[^1] == 0 ? 0 : x.ElementCount / x.Shape[^1];

    private static int RowThreads(int length) => length <= 128 ? 32 : length <= 1024 ? 128 : Threads256;

    /// <summary>Elements from one evenly spaced row to the next.</summary>
    private static long RowStep(Tensor x)
    {
        int axis = x.Rank - 2;
        while (axis > 0 && x.Shape[axis] == 1)
        {
            axis--;
        }

        return axis < 0 ? 0 : x.Stride(axis);
    }
}
