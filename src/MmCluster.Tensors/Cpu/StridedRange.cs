namespace MmCluster.Tensors.Cpu;

/// <summary>Whether two views of one memory can touch a common byte.</summary>
internal static unsafe class StridedRange
{
    /// <summary>
    /// False when their byte ranges are apart, or when they are columns of the same rows (equal strides, and neither reaches the other within a
    /// row), as the halves of a fused projection are. May say true for views that interleave in other ways.
    /// </summary>
    internal static bool Overlap(Tensor a, Tensor b)
    {
        if (a.ElementCount == 0 || b.ElementCount == 0)
        {
            return false;
        }

        long size = a.DType.Size();
        long distance = Math.Abs(b.Data - a.Data);
        Tensor first = a.Data <= b.Data ? a : b;
        Tensor second = first == a ? b : a;
        if (distance >= Extent(first) * first.DType.Size())
        {
            return false;
        }

        if (a.Rank != b.Rank || a.DType != b.DType || a.Rank < 2 || distance % size != 0)
        {
            return true;
        }

        // Columns: all axes but the last have the same stride, a multiple of one row step that the last axes do not cross.
        long row = long.MaxValue;
        for (int axis = 0; axis < a.Rank - 1; axis++)
        {
            if (a.Shape[axis] > 1 || b.Shape[axis] > 1)
            {
                if (a.Stride(axis) != b.Stride(axis))
                {
                    return true;
                }

                row = Math.Min(row, a.Stride(axis));
            }
        }

        long firstEnd = ((first.Shape[^1] - 1) * first.Stride(-1)) + 1;
        long secondEnd = (distance / size) + ((second.Shape[^1] - 1) * second.Stride(-1)) + 1;
        return distance / size < firstEnd || secondEnd > row;
    }

    private static long Extent(Tensor x)
    {
        long last = 0;
        for (int axis = 0; axis < x.Rank; axis++)
        {
            last += (x.Shape[axis] - 1) * x.Stride(axis);
        }

        return last + 1;
    }
}
