namespace MmCluster.Tensors;

// Joining, picking and placing elements.
public static partial class Ops
{
    /// <summary>Joins tensors along an axis.</summary>
    /// <exception cref="ArgumentException">None given, or types or other axes differ.</exception>
    public static Tensor Cat(ReadOnlySpan<Tensor> tensors, int axis = 0, Tensor? output = null)
    {
        if (tensors.IsEmpty)
        {
            throw new ArgumentException("cat: no tensors");
        }

        axis = tensors[0].Shape.Axis(axis);
        int length = 0;
        foreach (Tensor tensor in tensors)
        {
            if (tensor.DType != tensors[0].DType || tensor.Rank != tensors[0].Rank
                || tensor.Shape.With(axis, 0) != tensors[0].Shape.With(axis, 0))
            {
                throw new ArgumentException($"cat: along axis {axis}, {tensor} does not fit {tensors[0]}");
            }

            length = checked(length + tensor.Shape[axis]);
        }

        output = Output("cat", output, tensors[0].Shape.With(axis, length), tensors[0].DType, tensors[0].Device);
        int at = 0;
        foreach (Tensor tensor in tensors)
        {
            using Tensor part = output.Slice(axis, at, at + tensor.Shape[axis]);
            part.CopyFrom(tensor);
            at += tensor.Shape[axis];
        }

        return output;
    }

    /// <summary>Joins tensors of one shape along a new axis.</summary>
    /// <exception cref="ArgumentException">None given, or shapes or types differ.</exception>
    public static Tensor Stack(ReadOnlySpan<Tensor> tensors, int axis = 0)
    {
        var parts = new Tensor[tensors.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            parts[i] = tensors[i].Unsqueeze(axis);
        }

        Tensor result = Cat(parts, axis < 0 ? axis + parts[0].Rank : axis);
        foreach (Tensor part in parts)
        {
            part.Dispose();
        }

        return result;
    }

    /// <summary>Rows of a table: weight[ids], in F32; on a GPU in the table's type.</summary>
    /// <param name="weight">[V, D] in F32, F16 or BF16.</param>
    /// <param name="ids">I64 or I32 of any shape, each in 0..V-1.</param>
    /// <param name="output">Contiguous [ids…, D] or null.</param>
    /// <exception cref="ArgumentException">An id that is no row, or wrong types.</exception>
    public static Tensor Embedding(Tensor weight, Tensor ids, Tensor? output = null)
    {
        if (weight.Rank != 2 || !weight.DType.IsFloat())
        {
            throw new ArgumentException($"embedding: expected a float matrix [V, D], got {weight}");
        }

        using Tensor dense = CheckIndices("embedding", ids, weight.Shape[0], weight.Device);
        int width = weight.Shape[1];
        output = Output("embedding", output, Append(ids.Shape, width), FloatType(weight), weight.Device);
        if (!output.IsContiguous)
        {
            throw new ArgumentException($"embedding: the output must be contiguous, got {output}");
        }

        weight.Device.Backend.Embedding(weight, dense, output);
        return output;
    }

    /// <summary>Slices of x along an axis, at indices (I64 or I32, one axis).</summary>
    /// <exception cref="ArgumentException">An index outside the axis.</exception>
    public static Tensor IndexSelect(this Tensor x, int axis, Tensor indices, Tensor? output = null)
    {
        axis = x.Shape.Axis(axis);
        using Tensor dense = CheckIndices("index_select", indices, x.Shape[axis], x.Device);
        if (indices.Rank != 1)
        {
            throw new ArgumentException($"index_select: indices must have one axis, got {indices.Shape}");
        }

        output = Output("index_select", output, x.Shape.With(axis, indices.Shape[0]), x.DType, x.Device);
        using Tensor from = x.Transpose(0, axis);
        using Tensor to = output.Transpose(0, axis);
        x.Device.Backend.SelectRows(from, dense, to);
        return output;
    }

    /// <summary>y[i…] = x with the index along the axis replaced by index[i…], as PyTorch's gather.</summary>
    /// <param name="x">Any type.</param>
    /// <param name="axis">The axis.</param>
    /// <param name="index">I64 or I32, of x's rank, no longer than x on the other axes.</param>
    /// <exception cref="ArgumentException">Shapes do not fit, or an index outside the axis.</exception>
    public static Tensor Gather(this Tensor x, int axis, Tensor index)
    {
        axis = x.Shape.Axis(axis);
        bool fits = index.Rank == x.Rank;
        for (int i = 0; i < x.Rank && fits; i++)
        {
            fits = i == axis || index.Shape[i] <= x.Shape[i];
        }

        if (!fits)
        {
            throw new ArgumentException($"gather: index {index.Shape} does not fit {x.Shape} along axis {axis}");
        }

        using Tensor dense = CheckIndices("gather", index, x.Shape[axis], x.Device);
        Tensor output = Tensor.Empty(index.Shape, x.DType, x.Device);
        x.Device.Backend.Gather(x, axis, dense, output);
        return output;
    }

    /// <summary>x[indices[i]] = rows[i] in place, along the first axis; the last of equal indices stays.</summary>
    /// <param name="x">[N, …], written.</param>
    /// <param name="indices">I64 or I32 [n]</param>
    /// <param name="rows">[n, …], converted to x's type.</param>
    /// <returns>x</returns>
    /// <exception cref="ArgumentException">Shapes do not fit, or an index outside x.</exception>
    public static Tensor ScatterRows(this Tensor x, Tensor indices, Tensor rows)
    {
        if (x.Rank == 0 || indices.Rank != 1 || rows.Rank != x.Rank || rows.Shape != x.Shape.With(0, indices.Shape[0]))
        {
            throw new ArgumentException($"scatter_rows: {rows.Shape} at {indices.Shape} does not fit {x.Shape}");
        }

        CheckWritable("scatter_rows", x);
        using Tensor dense = CheckIndices("scatter_rows", indices, x.Shape[0], x.Device);
        using Tensor near = rows.To(x.Device);
        x.Device.Backend.ScatterRows(x, dense, near);
        return x;
    }

    /// <summary>Surrounds x with a value: pairs (before, after) from the last axis on, as PyTorch's pad. No negative widths.</summary>
    /// <exception cref="ArgumentException">An odd number of widths, more pairs than axes, or a negative width.</exception>
    public static Tensor Pad(this Tensor x, ReadOnlySpan<int> widths, double value = 0)
    {
        Span<int> shape = stackalloc int[Shape.MaxRank];
        x.Shape.AsSpan().CopyTo(shape);
        if (widths.Length % 2 != 0 || widths.Length / 2 > x.Rank || (!widths.IsEmpty && widths.IndexOfAnyInRange(int.MinValue, -1) >= 0))
        {
            throw new ArgumentException($"pad: [{string.Join(", ", widths.ToArray())}] does not fit {x.Shape}");
        }

        for (int i = 0; i < widths.Length; i += 2)
        {
            shape[x.Rank - 1 - (i / 2)] = checked(shape[x.Rank - 1 - (i / 2)] + widths[i] + widths[i + 1]);
        }

        Tensor output = Tensor.Full(new Shape(shape[..x.Rank]), value, x.DType, x.Device);
        Tensor inner = output.View(output.Shape, output.StridesCopy(), output.Offset);
        for (int i = 0; i < widths.Length; i += 2)
        {
            int axis = x.Rank - 1 - (i / 2);
            Tensor next = inner.Slice(axis, widths[i], widths[i] + x.Shape[axis]);
            inner.Dispose();
            inner = next;
        }

        inner.CopyFrom(x);
        inner.Dispose();
        return output;
    }
}
