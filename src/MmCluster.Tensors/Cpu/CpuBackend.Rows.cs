using System.Diagnostics;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu;

// Operations on rows along the last axis, each row on one thread.
internal sealed unsafe partial class CpuBackend
{
    private enum RowKind
    {
        RmsNorm, AddRmsNorm, LayerNorm, Softmax, LogSoftmax, Sum, Mean, Max, Argmax,
    }

    public void LayerNorm(Tensor x, Tensor? weight, Tensor? bias, Tensor y, float eps) => Rows(RowKind.LayerNorm, x, y, weight, bias, eps: eps);

    public void RmsNorm(Tensor x, Tensor? weight, Tensor y, float eps) => Rows(RowKind.RmsNorm, x, y, weight, eps: eps);

    public void AddRmsNorm(Tensor x, Tensor residual, Tensor? weight, Tensor y, float eps) =>
        Rows(RowKind.AddRmsNorm, x, y, weight, residual: residual, eps: eps);

    public void Softmax(Tensor x, Tensor y, bool logarithm) => Rows(logarithm ? RowKind.LogSoftmax : RowKind.Softmax, x, y);

    public void Reduce(Reduction reduction, Tensor x, Tensor y) => Rows(
        reduction switch
        {
            Reduction.Sum => RowKind.Sum,
            Reduction.Mean => RowKind.Mean,
            Reduction.Max => RowKind.Max,
            _ => RowKind.Argmax,
        },
        x,
        y);

    private void Rows(RowKind kind, Tensor x, Tensor y, Tensor? weight = null, Tensor? bias = null, Tensor? residual = null, float eps = 0)
    {
        if (SimdLevel.Has512)
        {
            Rows<Vec512>(kind, x, y, weight, bias, residual, eps);
        }
        else if (SimdLevel.Has256)
        {
            Rows<Vec256>(kind, x, y, weight, bias, residual, eps);
        }
        else
        {
            Rows<Vec128>(kind, x, y, weight, bias, residual, eps);
        }
    }

    private void Rows<T>(RowKind kind, Tensor x, Tensor y, Tensor? weight, Tensor? bias, Tensor? residual, float eps)
        where T : unmanaged, IVec<T>
    {
        bool reduces = kind >= RowKind.Sum;
        int length = x.Shape[^1];
        RowBody<T> body = default;
        body.Kind = kind;
        body.Length = length;
        body.Eps = eps;
        body.Weight = weight is null ? null : weight.Pointer<float>();
        body.Bias = bias is null ? null : bias.Pointer<float>();
        body.X = new RowView(x);
        body.Y = reduces ? new RowView(y.Data, y.DType == DType.I64 ? 2 : 1) : new RowView(y); // one result a row, counted in floats
        body.Residual = residual is null ? default : new RowView(residual);
        body.Rows = length == 0 ? (reduces ? y.ElementCount : 0) : x.ElementCount / length;
        body.RowsAPart = Math.Max(1, (kind >= RowKind.Softmax ? 8192 : 16384) / Math.Max(1, length));
        _pool.Run(checked((int)((body.Rows + body.RowsAPart - 1) / body.RowsAPart)), ref body);
    }

    /// <summary>Where rows begin: a first address and one step in floats.</summary>
    private readonly struct RowView
    {
        private readonly float* _first;
        private readonly long _step;

        internal RowView(void* first, long step)
        {
            _first = (float*)first;
            _step = step;
        }

        internal RowView(Tensor x)
        {
            Debug.Assert(HasEvenRows(x), "rows that are not evenly spaced");
            _first = x.Pointer<float>();
            _step = x.Rank > 1 ? x.Stride(EvenAxis(x)) : 0;
        }

        internal float* Row(long row) => _first + (row * _step);

        // The innermost leading axis longer than 1 sets the step.
        private static int EvenAxis(Tensor x)
        {
            int axis = x.Rank - 2;
            while (axis > 0 && x.Shape[axis] == 1)
            {
                axis--;
            }

            return axis;
        }
    }

    /// <summary>Whether the last axis is dense and the rows along it are evenly spaced.</summary>
    public static bool HasEvenRows(Tensor x)
    {
        if (x.Rank == 0 || (x.Stride(-1) != 1 && x.Shape[^1] > 1))
        {
            return false;
        }

        long count = 1;
        long step = 0;
        for (int axis = x.Rank - 2; axis >= 0; axis--)
        {
            if (x.Shape[axis] == 1)
            {
                continue;
            }

            if (step == 0)
            {
                step = x.Stride(axis);
            }
            else if (x.Stride(axis) != step * count)
            {
                return false;
            }

            count *= x.Shape[axis];
        }

        return true;
    }

    private struct RowBody<T> : IParallelBody where T : unmanaged, IVec<T>
    {
        internal RowKind Kind;
        internal RowView X;
        internal RowView Y;
        internal RowView Residual;
        internal float* Weight;
        internal float* Bias;
        internal float Eps;
        internal int Length;
        internal long Rows;
        internal int RowsAPart;

        public readonly void Invoke(int part)
        {
            long end = Math.Min(Rows, (part + 1L) * RowsAPart);
            for (long row = (long)part * RowsAPart; row < end; row++)
            {
                One(row, X.Row(row), Y.Row(row));
            }
        }

        private readonly void One(long row, float* x, float* y)
        {
            switch (Kind)
            {
                case RowKind.RmsNorm:
                    RowKernels.RmsNorm<T>(x, Weight, y, Length, Eps);
                    break;
                case RowKind.AddRmsNorm:
                    float* residual = Residual.Row(row);
                    ElementLoops.Zip<AddOp, T>(residual, 1, x, 1, residual, 1, Length);
                    RowKernels.RmsNorm<T>(residual, Weight, y, Length, Eps);
                    break;
                case RowKind.LayerNorm:
                    RowKernels.LayerNorm<T>(x, Weight, Bias, y, Length, Eps);
                    break;
                case RowKind.Softmax:
                    RowKernels.Softmax<T>(x, y, Length);
                    break;
                case RowKind.LogSoftmax:
                    RowKernels.LogSoftmax<T>(x, y, Length);
                    break;
                case RowKind.Sum:
                    *y = RowKernels.Sum<T>(x, Length);
                    break;
                case RowKind.Mean:
                    *y = RowKernels.Sum<T>(x, Length) / Length;
                    break;
                case RowKind.Max:
                    *y = Selection.Max<T>(x, Length);
                    break;
                default:
                    *(long*)y = Selection.Argmax<T>(x, Length);
                    break;
            }
        }
    }
}
