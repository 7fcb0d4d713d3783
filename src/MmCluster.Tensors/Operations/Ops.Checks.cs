using MmCluster.Tensors.Cpu;

namespace MmCluster.Tensors;

// What all operations check before a backend sees them.
public static partial class Ops
{
    /// <summary>The shape two shapes broadcast to, as NumPy and PyTorch do.</summary>
    /// <exception cref="ArgumentException">They do not broadcast.</exception>
    internal static Shape BroadcastShape(string operation, in Shape a, in Shape b)
    {
        Span<int> shape = stackalloc int[Shape.MaxRank];
        int rank = Math.Max(a.Rank, b.Rank);
        for (int i = 1; i <= rank; i++)
        {
            int left = i <= a.Rank ? a[^i] : 1;
            int right = i <= b.Rank ? b[^i] : 1;
            if (left != right && left != 1 && right != 1)
            {
                throw new ArgumentException($"{operation}: shapes {a} and {b} do not broadcast, {left} against {right} at axis -{i}");
            }

            shape[rank - i] = left == 1 ? right : left;
        }

        return new Shape(shape[..rank]);
    }

    /// <summary>
    /// The given output if it fits, else a new tensor. An output may be an input itself (same elements in the same places), but not share memory
    /// with one in any other way.
    /// </summary>
    internal static Tensor Output(string operation, Tensor? output, in Shape shape, DType dtype, Device device, Tensor? input = null, Tensor? other = null)
    {
        if (output is null)
        {
            return Tensor.Empty(shape, dtype, device);
        }

        if (output.Shape != shape || output.DType != dtype || output.Device != device)
        {
            throw new ArgumentException($"{operation}: the output must be {dtype} {shape} on {device}, got {output}");
        }

        CheckWritable(operation, output);
        CheckOverlap(operation, output, input);
        CheckOverlap(operation, output, other);
        return output;
    }

    /// <summary>Addresses of one device mean nothing on another.</summary>
    private static void CheckDevice(string operation, Device device, Tensor? other)
    {
        if (other is not null && other.Device != device)
        {
            throw new ArgumentException($"{operation}: {other} meets a tensor on {device}; move it with To(device)");
        }
    }

    private static unsafe void CheckOverlap(string operation, Tensor output, Tensor? input)
    {
        if (input is null || !input.SharesMemoryWith(output))
        {
            return;
        }

        bool same = input.Data == output.Data && input.Shape == output.Shape;
        for (int axis = 0; axis < output.Rank && same; axis++)
        {
            same = output.Shape[axis] == 1 || input.Stride(axis) == output.Stride(axis);
        }

        if (!same && StridedRange.Overlap(input, output))
        {
            throw new ArgumentException($"{operation}: the output overlaps an input without being it");
        }
    }
}
