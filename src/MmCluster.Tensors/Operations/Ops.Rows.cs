using MmCluster.Tensors.Cpu;

namespace MmCluster.Tensors;

// Norms, softmax and reductions.
public static partial class Ops
{
    /// <summary>(x - mean) / √(variance + eps) weight + bias along the last axis; the variance is the biased one.</summary>
    /// <param name="x">[…, n]</param>
    /// <param name="weight">[n] or null.</param>
    /// <param name="bias">[n] or null.</param>
    /// <param name="eps">Keeps the root from 0.</param>
    /// <param name="output">[…, n]; may be x.</param>
    /// <exception cref="ArgumentException">A weight of another length or type.</exception>
    public static Tensor LayerNorm(this Tensor x, Tensor? weight, Tensor? bias = null, float eps = 1e-5f, Tensor? output = null)
    {
        CheckPerColumn("layer_norm", "weight", weight, x);
        CheckPerColumn("layer_norm", "bias", bias, x);
        using Tensor rows = EvenRows("layer_norm", x);
        output = RowOutput("layer_norm", output, x, rows);
        x.Device.Backend.LayerNorm(rows, weight, bias, output, eps);
        return output;
    }

    /// <summary>x / √(mean(x²) + eps) weight along the last axis.</summary>
    /// <inheritdoc cref="LayerNorm"/>
    public static Tensor RmsNorm(this Tensor x, Tensor? weight, float eps = 1e-6f, Tensor? output = null)
    {
        CheckPerColumn("rms_norm", "weight", weight, x);
        using Tensor rows = EvenRows("rms_norm", x);
        output = RowOutput("rms_norm", output, x, rows);
        x.Device.Backend.RmsNorm(rows, weight, output, eps);
        return output;
    }

    /// <summary>Adds x to <paramref name="residual"/> in place and returns the RMS norm of the sum.</summary>
    /// <exception cref="ArgumentException">Shapes differ, or the residual has not x's float type and evenly spaced rows.</exception>
    public static Tensor AddRmsNorm(Tensor x, Tensor residual, Tensor? weight, float eps = 1e-6f, Tensor? output = null)
    {
        CheckPerColumn("add_rms_norm", "weight", weight, x);
        if (residual.Shape != x.Shape || residual.DType != FloatType(x) || !CpuBackend.HasEvenRows(residual))
        {
            throw new ArgumentException($"add_rms_norm: the residual must be {FloatType(x)} {x.Shape} with even rows, got {residual}");
        }

        CheckWritable("add_rms_norm", residual);
        using Tensor rows = EvenRows("add_rms_norm", x);
        output = RowOutput("add_rms_norm", output, x, rows);
        x.Device.Backend.AddRmsNorm(rows, residual, weight, output, eps);
        return output;
    }

    /// <summary>e^x / Σ e^x along an axis.</summary>
    public static Tensor Softmax(this Tensor x, int axis = -1, Tensor? output = null) => Softmax(x, axis, output, logarithm: false);

    /// <summary>log softmax along an axis.</summary>
    public static Tensor LogSoftmax(this Tensor x, int axis = -1, Tensor? output = null) => Softmax(x, axis, output, logarithm: true);

    /// <summary>Sum along an axis.</summary>
    public static Tensor Sum(this Tensor x, int axis, bool keepDim = false) => Reduce(Reduction.Sum, x, axis, keepDim);

    /// <summary>Mean along an axis.</summary>
    public static Tensor Mean(this Tensor x, int axis, bool keepDim = false) => Reduce(Reduction.Mean, x, axis, keepDim);

    /// <summary>The largest along an axis; NaN where there is one.</summary>
    /// <exception cref="ArgumentException">The axis is empty.</exception>
    public static Tensor Max(this Tensor x, int axis, bool keepDim = false) => Reduce(Reduction.Max, x, axis, keepDim);

    /// <summary>Index (I64) of the largest along an axis, the first among equals.</summary>
    /// <exception cref="ArgumentException">The axis is empty.</exception>
    public static Tensor Argmax(this Tensor x, int axis = -1, bool keepDim = false) => Reduce(Reduction.Argmax, x, axis, keepDim);

    /// <summary>The k largest along the last axis in falling order (the first among equals first) and their indices (I64).</summary>
    /// <exception cref="ArgumentException">k is negative or longer than the axis.</exception>
    public static (Tensor Values, Tensor Indices) TopK(this Tensor x, int k)
    {
        if (x.Rank == 0 || k < 0 || k > x.Shape[^1])
        {
            throw new ArgumentException($"topk: {x.Shape} has no {k} values along its last axis");
        }

        using Tensor wide = ToFloat("topk", x, DType.F32);
        using Tensor dense = wide.Contiguous();
        Tensor values = Tensor.Empty(x.Shape.With(-1, k), DType.F32, x.Device);
        Tensor indices = Tensor.Empty(values.Shape, DType.I64, x.Device);
        x.Device.Backend.TopK(dense, values, indices);
        return (values, indices);
    }

    private static Tensor Softmax(Tensor x, int axis, Tensor? output, bool logarithm)
    {
        axis = x.Shape.Axis(axis);
        if (axis != x.Rank - 1)
        {
            using Tensor moved = x.Transpose(axis, -1);
            using Tensor result = Softmax(moved, -1, null, logarithm);
            using Tensor back = result.Transpose(axis, -1);
            return output is null ? back.Clone() : output.CopyFrom(back);
        }

        using Tensor rows = EvenRows("softmax", x);
        output = RowOutput("softmax", output, x, rows);
        x.Device.Backend.Softmax(rows, output, logarithm);
        return output;
    }

    private static Tensor Reduce(Reduction reduction, Tensor x, int axis, bool keepDim)
    {
        axis = x.Shape.Axis(axis);
        if (x.Shape[axis] == 0 && reduction >= Reduction.Max)
        {
            throw new ArgumentException($"{reduction}: axis {axis} of {x.Shape} is empty");
        }

        using Tensor moved = MoveLast(x, axis);
        using Tensor rows = EvenRows(Enum.GetName(reduction)!, moved);
        Span<int> kept = stackalloc int[Shape.MaxRank];
        int rank = 0;
        for (int i = 0; i < x.Rank; i++)
        {
            if (i != axis || keepDim)
            {
                kept[rank++] = i == axis ? 1 : x.Shape[i];
            }
        }

        Tensor output = Tensor.Empty(new Shape(kept[..rank]), reduction == Reduction.Argmax ? DType.I64 : rows.DType, x.Device);
        x.Device.Backend.Reduce(reduction, rows, output);
        return output;
    }

    // The axis last, the others in their order.
    private static Tensor MoveLast(Tensor x, int axis)
    {
        Span<int> axes = stackalloc int[Shape.MaxRank];
        for (int i = 0; i < x.Rank; i++)
        {
            axes[i] = i < axis ? i : i + 1;
        }

        axes[x.Rank - 1] = axis;
        return x.Permute(axes[..x.Rank]);
    }

    /// <summary>x as floats with a dense last axis and evenly spaced rows: a view where it is that already.</summary>
    private static Tensor EvenRows(string operation, Tensor x)
    {
        if (x.Rank == 0)
        {
            throw new ArgumentException($"{operation}: expected at least one axis, got a scalar");
        }

        if (x.DType != FloatType(x))
        {
            return ToFloat(operation, x);
        }

        return CpuBackend.HasEvenRows(x) ? x.View(x.Shape, x.StridesCopy(), x.Offset) : x.Clone();
    }

    private static Tensor RowOutput(string operation, Tensor? output, Tensor x, Tensor rows)
    {
        output = Output(operation, output, x.Shape, rows.DType, x.Device, rows);
        return CpuBackend.HasEvenRows(output)
            ? output
            : throw new ArgumentException($"{operation}: the output's rows must be dense and evenly spaced, got {output}");
    }

    private static void CheckPerColumn(string operation, string name, Tensor? weight, Tensor x)
    {
        CheckDevice(operation, x.Device, weight);
        if (weight is not null && (x.Rank == 0 || weight.Rank != 1 || weight.Shape[0] != x.Shape[^1] || weight.DType != DType.F32 || !weight.IsContiguous))
        {
            throw new ArgumentException($"{operation}: {name} must be dense F32 [{(x.Rank == 0 ? 0 : x.Shape[^1])}], got {weight}");
        }
    }
}
