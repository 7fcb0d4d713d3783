using MmCluster.Tensors.Cpu;

namespace MmCluster.Tensors;

// Products with weights.
public static partial class Ops
{
    /// <summary>activation(x Wᵀ + bias) along the last axis. Each output element's sum runs over k in one order for any number of rows.</summary>
    /// <param name="x">[…, K]</param>
    /// <param name="weight">[N, K]</param>
    /// <param name="bias">F32 [N] or null.</param>
    /// <param name="activation">Applied to the outputs.</param>
    /// <param name="output">[…, N] of x's float type or F32, with evenly spaced dense rows, not overlapping x; or null.</param>
    /// <exception cref="ArgumentException">The inner dimensions differ, or bias or output do not fit.</exception>
    public static Tensor Linear(this Tensor x, LinearWeight weight, Tensor? bias = null, Activation activation = Activation.None, Tensor? output = null)
    {
        CheckLinear("linear", x, weight, bias);
        using Tensor rows = EvenRows("linear", x);
        output = Output("linear", output, x.Shape.With(-1, weight.Outputs), output?.DType == DType.F32 ? DType.F32 : rows.DType, x.Device);
        if (rows.SharesMemoryWith(output) && StridedRange.Overlap(rows, output))
        {
            throw new ArgumentException("linear: the output overlaps the input");
        }

        if (!CpuBackend.HasEvenRows(output))
        {
            throw new ArgumentException($"linear: the output's rows must be dense and evenly spaced, got {output}");
        }

        x.Device.Backend.Linear(rows, weight.Packed, bias, activation, output);
        return output;
    }

    /// <summary>x Wᵀ + bias with a weight [N, K] that is packed for this call only: for small or rarely used matrices.</summary>
    /// <inheritdoc cref="Linear(Tensor, LinearWeight, Tensor?, Activation, Tensor?)"/>
    public static Tensor Linear(this Tensor x, Tensor weight, Tensor? bias = null, Activation activation = Activation.None, Tensor? output = null)
    {
        if (weight.Rank != 2 || x.Rank == 0 || x.Shape[^1] != weight.Shape[1])
        {
            throw new ArgumentException($"linear: inner dimensions differ, x is {x.Shape}, the weight {weight.Shape}");
        }

        using LinearWeight packed = LinearWeight.Pack(weight, weight.DType.IsQuantized() ? weight.DType : FloatType(weight), x.Device);
        return x.Linear(packed, bias, activation, output);
    }

    internal static Shape Append(in Shape shape, int dimension)
    {
        Span<int> dimensions = stackalloc int[Shape.MaxRank + 1];
        shape.AsSpan().CopyTo(dimensions);
        dimensions[shape.Rank] = dimension;
        return new Shape(dimensions[..(shape.Rank + 1)]);
    }

    private static void CheckLinear(string operation, Tensor x, LinearWeight weight, Tensor? bias)
    {
        if (x.Rank == 0 || x.Shape[^1] != weight.Inputs)
        {
            throw new ArgumentException($"{operation}: inner dimensions differ, x is {x.Shape}, the weight [{weight.Outputs}, {weight.Inputs}]");
        }

        if (weight.Device != x.Device)
        {
            throw new ArgumentException($"{operation}: {x} meets a weight on {weight.Device}; move it with To(device)");
        }

        CheckDevice(operation, x.Device, bias);
        if (bias is not null && (bias.Rank != 1 || bias.Shape[0] != weight.Outputs || bias.DType != DType.F32 || !bias.IsContiguous))
        {
            throw new ArgumentException($"{operation}: bias must be dense F32 [{weight.Outputs}], got {bias}");
        }
    }

    /// <summary>
    /// The ids as a dense tensor on a device. On the processor each is checked to lie in 0..limit-1, before it is moved where that has to be; ids that are on
    /// a GPU already were checked by whoever put them there.
    /// </summary>
    internal static Tensor CheckIndices(string operation, Tensor ids, int limit, Device device)
    {
        if (ids.DType is not (DType.I64 or DType.I32))
        {
            throw new ArgumentException($"{operation}: indices must be I64 or I32, got {ids.DType}");
        }

        if (!ids.Device.IsCpu)
        {
            return ids.Contiguous();
        }

        Tensor dense = ids.Contiguous();
        for (long i = 0; i < dense.ElementCount; i++)
        {
            long id = ScalarLoops.Read(dense, i);
            if (id < 0 || id >= limit)
            {
                dense.Dispose();
                throw new ArgumentException($"{operation}: index {id} is not in 0..{limit - 1}");
            }
        }

        if (device.IsCpu)
        {
            return dense;
        }

        using (dense)
        {
            return dense.To(device);
        }
    }
}
