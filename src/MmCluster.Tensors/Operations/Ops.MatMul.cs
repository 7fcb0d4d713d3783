namespace MmCluster.Tensors;

// Matrix products of tensors.
public static partial class Ops
{
    /// <summary>Matrix product over the last two axes, the others broadcast. Vectors are not taken: unsqueeze them.</summary>
    /// <param name="a">[…, M, K]</param>
    /// <param name="b">[…, K, N]</param>
    /// <param name="output">Contiguous […, M, N] of a's float type, or null.</param>
    /// <exception cref="ArgumentException">The inner dimensions differ or the others do not broadcast.</exception>
    public static Tensor MatMul(this Tensor a, Tensor b, Tensor? output = null)
    {
        if (a.Rank < 2 || b.Rank < 2 || a.Shape[^1] != b.Shape[^2])
        {
            throw new ArgumentException($"matmul: inner dimensions differ, lhs is {a.Shape}, rhs is {b.Shape}");
        }

        if (b.Rank == 2)
        {
            using Tensor weight = b.Transpose(0, 1);
            return a.Linear(weight, output: output);
        }

        Shape left = new(a.Shape.AsSpan()[..^2]);
        Shape right = new(b.Shape.AsSpan()[..^2]);
        Shape batch = BroadcastShape("matmul", left, right);
        Shape shape = Append(Append(batch, a.Shape[^2]), b.Shape[^1]);
        output = Output("matmul", output, shape, FloatType(a), a.Device);
        if (!output.IsContiguous || a.SharesMemoryWith(output) || b.SharesMemoryWith(output))
        {
            throw new ArgumentException($"matmul: the output must be contiguous and apart from the inputs, got {output}");
        }

        using Tensor lhs = a.Expand(Append(Append(batch, a.Shape[^2]), a.Shape[^1]));
        using Tensor rhs = b.Expand(Append(Append(batch, b.Shape[^2]), b.Shape[^1]));
        Span<int> index = stackalloc int[Shape.MaxRank];
        for (long i = 0; i < batch.ElementCount; i++)
        {
            long rest = i;
            for (int axis = batch.Rank - 1; axis >= 0; axis--)
            {
                (rest, long at) = Math.DivRem(rest, batch[axis]);
                index[axis] = (int)at;
            }

            using Tensor x = Matrix(lhs, index);
            using Tensor y = Matrix(rhs, index);
            using Tensor weight = y.Transpose(0, 1);
            using Tensor z = Matrix(output, index);
            x.Linear(weight, output: z);
        }

        return output;
    }

    // The matrix at one index of the leading axes.
    private static Tensor Matrix(Tensor x, ReadOnlySpan<int> index)
    {
        long offset = x.Offset;
        for (int axis = 0; axis < x.Rank - 2; axis++)
        {
            offset += index[axis] * x.Stride(axis);
        }

        Strides strides = default;
        (strides[0], strides[1]) = (x.Stride(-2), x.Stride(-1));
        return x.View([x.Shape[^2], x.Shape[^1]], strides, offset);
    }
}
