namespace MmCluster.Tensors;

/// <summary>Operations on tensors, named and behaving as PyTorch's. All can be written as methods of their first argument.</summary>
public static partial class Ops
{
    /// <summary>
    /// The same elements in row-major order under another shape; one dimension may be given as -1 in <see cref="Reshape(Tensor, ReadOnlySpan{int})"/>.
    /// A view where the strides allow it (always for a contiguous tensor), else a copy.
    /// </summary>
    /// <exception cref="ArgumentException">The number of elements differs.</exception>
    public static Tensor Reshape(this Tensor x, Shape shape)
    {
        if (shape.ElementCount != x.ElementCount)
        {
            throw new ArgumentException($"reshape: {x.Shape} has {x.ElementCount} elements, {shape} has {shape.ElementCount}");
        }

        if (x.IsContiguous)
        {
            return x.View(shape, Strides.RowMajor(shape), x.Offset);
        }

        if (TryRestride(x, shape, out Strides strides))
        {
            return x.View(shape, strides, x.Offset);
        }

        using Tensor copy = x.Clone();
        return copy.View(shape, Strides.RowMajor(shape), 0);
    }

    /// <inheritdoc cref="Reshape(Tensor, Shape)"/>
    public static Tensor Reshape(this Tensor x, params ReadOnlySpan<int> shape)
    {
        int inferred = shape.IndexOf(-1);
        if (inferred < 0)
        {
            return x.Reshape(new Shape(shape));
        }

        Span<int> filled = stackalloc int[Shape.MaxRank];
        filled = filled[..Math.Min(shape.Length, filled.Length)];
        shape[..filled.Length].CopyTo(filled);
        filled[inferred] = 1;
        long rest = new Shape(filled).ElementCount;
        if (rest == 0 || x.ElementCount % rest != 0 || x.ElementCount / rest > int.MaxValue)
        {
            throw new ArgumentException($"reshape: {x.Shape} cannot fill dimension {inferred} of [{string.Join(", ", shape.ToArray())}]");
        }

        filled[inferred] = (int)(x.ElementCount / rest);
        return x.Reshape(new Shape(filled));
    }

    /// <summary>A view with the axes in another order: axis i of the result is axis <paramref name="axes"/>[i].</summary>
    /// <exception cref="ArgumentException">Not a permutation of the axes.</exception>
    public static Tensor Permute(this Tensor x, params ReadOnlySpan<int> axes)
    {
        if (axes.Length != x.Rank)
        {
            throw new ArgumentException($"permute: {x.Shape} has {x.Rank} axes, got {axes.Length}");
        }

        Span<int> shape = stackalloc int[Shape.MaxRank];
        Strides strides = default;
        int seen = 0;
        for (int i = 0; i < axes.Length; i++)
        {
            int axis = x.Shape.Axis(axes[i]);
            shape[i] = x.Shape[axis];
            strides[i] = x.Stride(axis);
            seen |= 1 << axis;
        }

        return seen == (1 << x.Rank) - 1
            ? x.View(new Shape(shape[..axes.Length]), strides, x.Offset)
            : throw new ArgumentException($"permute: [{string.Join(", ", axes.ToArray())}] names an axis twice");
    }

    /// <summary>A view with two axes exchanged.</summary>
    public static Tensor Transpose(this Tensor x, int axis0, int axis1)
    {
        (axis0, axis1) = (x.Shape.Axis(axis0), x.Shape.Axis(axis1));
        Span<int> axes = stackalloc int[Shape.MaxRank];
        for (int i = 0; i < x.Rank; i++)
        {
            axes[i] = i == axis0 ? axis1 : i == axis1 ? axis0 : i;
        }

        return x.Permute(axes[..x.Rank]);
    }

    /// <summary>
    /// A view of elements <paramref name="start"/>, start + step, … before <paramref name="end"/> along an axis. Negative bounds count from the end;
    /// a null end is the axis's end.
    /// </summary>
    /// <exception cref="ArgumentException">Bounds outside the axis, or a step below 1.</exception>
    public static Tensor Slice(this Tensor x, int axis, int start, int? end = null, int step = 1)
    {
        axis = x.Shape.Axis(axis);
        int size = x.Shape[axis];
        int from = start < 0 ? start + size : start;
        int to = end is not { } e ? size : e < 0 ? e + size : e;
        if (from < 0 || from > size || to < from || to > size || step < 1)
        {
            throw new ArgumentException($"slice: {start}..{end}, step {step}, on axis {axis} of {x.Shape}");
        }

        Strides strides = x.StridesCopy();
        long offset = x.Offset + (from * strides[axis]);
        int length = (to - from + step - 1) / step;
        strides[axis] *= step;
        return x.View(x.Shape.With(axis, length), strides, offset);
    }

    /// <summary>A view of one index along an axis, without that axis.</summary>
    /// <exception cref="ArgumentException">No such index.</exception>
    public static Tensor Select(this Tensor x, int axis, int index)
    {
        axis = x.Shape.Axis(axis);
        int size = x.Shape[axis];
        if (index < -size || index >= size)
        {
            throw new ArgumentException($"select: axis {axis} of {x.Shape} has no index {index}");
        }

        using Tensor one = x.Slice(axis, index, index == -1 ? null : index + 1);
        return one.Squeeze(axis);
    }

    /// <summary>A view with an axis of length 1 put in before <paramref name="axis"/> (-1: at the end).</summary>
    public static Tensor Unsqueeze(this Tensor x, int axis)
    {
        int at = axis < 0 ? axis + x.Rank + 1 : axis;
        if (at < 0 || at > x.Rank || x.Rank == Shape.MaxRank)
        {
            throw new ArgumentException($"unsqueeze: no axis {axis} can be put into {x.Shape}");
        }

        Span<int> shape = stackalloc int[Shape.MaxRank];
        Strides strides = default;
        for (int i = 0, from = 0; i <= x.Rank; i++)
        {
            shape[i] = i == at ? 1 : x.Shape[from];
            strides[i] = i == at ? (from < x.Rank ? x.Stride(from) * x.Shape[from] : 1) : x.Stride(from);
            from += i == at ? 0 : 1;
        }

        return x.View(new Shape(shape[..(x.Rank + 1)]), strides, x.Offset);
    }

    /// <summary>A view without an axis of length 1.</summary>
    /// <exception cref="ArgumentException">The axis has another length.</exception>
    public static Tensor Squeeze(this Tensor x, int axis)
    {
        axis = x.Shape.Axis(axis);
        if (x.Shape[axis] != 1)
        {
            throw new ArgumentException($"squeeze: axis {axis} of {x.Shape} has length {x.Shape[axis]}, expected 1");
        }

        Span<int> shape = stackalloc int[Shape.MaxRank];
        Strides strides = default;
        for (int i = 0, to = 0; i < x.Rank; i++)
        {
            if (i != axis)
            {
                shape[to] = x.Shape[i];
                strides[to++] = x.Stride(i);
            }
        }

        return x.View(new Shape(shape[..(x.Rank - 1)]), strides, x.Offset);
    }

    /// <summary>A view that repeats axes of length 1 (and new ones in front) to fill <paramref name="shape"/>.</summary>
    /// <exception cref="ArgumentException">The shapes do not broadcast.</exception>
    public static Tensor Expand(this Tensor x, Shape shape)
    {
        Strides strides = default;
        int added = shape.Rank - x.Rank;
        for (int i = 0; i < shape.Rank; i++)
        {
            int own = i < added ? 1 : x.Shape[i - added];
            if (added < 0 || (own != 1 && own != shape[i]))
            {
                throw new ArgumentException($"expand: {x.Shape} does not broadcast to {shape}");
            }

            strides[i] = i < added || (own == 1 && shape[i] != 1) ? 0 : x.Stride(i - added);
        }

        return added < 0
            ? throw new ArgumentException($"expand: {x.Shape} does not broadcast to {shape}")
            : x.View(shape, strides, x.Offset);
    }

    /// <summary>Views along an axis, each <paramref name="size"/> long, the last one shorter where it does not divide.</summary>
    public static Tensor[] Split(this Tensor x, int size, int axis = 0)
    {
        axis = x.Shape.Axis(axis);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        var parts = new Tensor[(x.Shape[axis] + size - 1) / size];
        for (int i = 0; i < parts.Length; i++)
        {
            parts[i] = x.Slice(axis, i * size, Math.Min((i + 1) * size, x.Shape[axis]));
        }

        return parts;
    }

    /// <summary>Views along an axis with these lengths.</summary>
    /// <exception cref="ArgumentException">The lengths do not add up to the axis.</exception>
    public static Tensor[] Split(this Tensor x, ReadOnlySpan<int> sizes, int axis = 0)
    {
        axis = x.Shape.Axis(axis);
        long total = 0;
        foreach (int size in sizes)
        {
            total += size;
        }

        if (total != x.Shape[axis])
        {
            throw new ArgumentException($"split: sizes add up to {total}, axis {axis} of {x.Shape} has {x.Shape[axis]}");
        }

        var parts = new Tensor[sizes.Length];
        for (int i = 0, at = 0; i < parts.Length; at += sizes[i++])
        {
            parts[i] = x.Slice(axis, at, at + sizes[i]);
        }

        return parts;
    }

    // Groups of the old axes whose elements lie evenly spaced can be divided anew without a copy.
    private static bool TryRestride(Tensor x, in Shape shape, out Strides strides)
    {
        strides = default;
        int to = shape.Rank - 1;
        int from = x.Rank - 1;
        while (from >= 0)
        {
            long step = x.Stride(from);
            long count = x.Shape[from];
            while (from > 0 && (x.Shape[from - 1] == 1 || x.Stride(from - 1) == step * count))
            {
                count *= x.Shape[--from];
            }

            while (to >= 0 && (count > 1 || shape[to] == 1))
            {
                if (count % shape[to] != 0)
                {
                    return false;
                }

                strides[to] = step;
                step *= shape[to];
                count /= shape[to--];
            }

            if (count != 1)
            {
                return false;
            }

            from--;
        }

        return to < 0;
    }
}
