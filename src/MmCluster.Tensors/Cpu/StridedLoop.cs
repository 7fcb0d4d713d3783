namespace MmCluster.Tensors.Cpu;

/// <summary>
/// Walks up to four operands of one broadcast shape. Neighbouring axes that lie evenly in all operands are merged, so that dense operands
/// become one run; the caller handles runs along the last axis and asks for the next. Plain data: every part of a parallel loop has a copy.
/// </summary>
internal unsafe struct StridedLoop
{
    internal const int MaxOperands = 4;

    private fixed int _shape[Shape.MaxRank];
    private fixed int _index[Shape.MaxRank];
    private fixed long _strides[Shape.MaxRank * MaxOperands]; // [operand][axis]
    private int _rank;
    private int _operands;

    /// <summary>How many runs there are; 0 when the shape is empty.</summary>
    internal long Runs { get; private set; }

    /// <summary>Elements of a run.</summary>
    internal readonly int RunLength => _shape[_rank - 1];

    /// <summary>A loop over tensors that broadcast to <paramref name="shape"/>.</summary>
    internal static StridedLoop Over(in Shape shape, Tensor first, Tensor? second = null, Tensor? third = null, Tensor? fourth = null)
    {
        StridedLoop loop = default;
        loop._operands = second is null ? 1 : third is null ? 2 : fourth is null ? 3 : 4;
        Strides* operands = stackalloc Strides[MaxOperands];
        operands[0] = Broadcast(first, shape);
        operands[1] = second is null ? default : Broadcast(second, shape);
        operands[2] = third is null ? default : Broadcast(third, shape);
        operands[3] = fourth is null ? default : Broadcast(fourth, shape);
        for (int axis = 0; axis < shape.Rank; axis++)
        {
            if (shape[axis] != 1)
            {
                loop.Append(shape[axis], axis, operands);
            }
        }

        if (loop._rank == 0)
        {
            loop._shape[0] = 1;
            loop._rank = 1;
        }

        loop.Runs = 1;
        for (int axis = 0; axis < loop._rank - 1; axis++)
        {
            loop.Runs *= loop._shape[axis];
        }

        if (loop.RunLength == 0)
        {
            loop.Runs = 0;
        }

        return loop;
    }

    /// <summary>Elements of all runs together.</summary>
    internal readonly long Count => Runs * RunLength;

    /// <summary>A loop over the first operand as it lies, its axes not merged: for who needs their indices.</summary>
    internal static StridedLoop Unmerged(in Shape shape, Tensor x)
    {
        StridedLoop loop = default;
        loop._operands = 1;
        loop._rank = shape.Rank;
        for (int axis = 0; axis < shape.Rank; axis++)
        {
            loop._shape[axis] = shape[axis];
            loop._strides[axis] = x.Stride(axis);
        }

        loop.Runs = shape.ElementCount == 0 ? 0 : 1;
        return loop;
    }

    /// <summary>
    /// Makes the loop count in groups of <paramref name="width"/> elements, strides too, where all operands are dense along the last axis and every group
    /// begins at a multiple of its size.
    /// </summary>
    internal bool TryWiden(int width, params ReadOnlySpan<Tensor> operands)
    {
        int last = _rank - 1;
        bool fits = width > 1 && Runs > 0 && _shape[last] % width == 0;
        for (int o = 0; o < _operands && fits; o++)
        {
            fits = _strides[(o * Shape.MaxRank) + last] == 1 && (long)operands[o].Data % (width * operands[o].DType.Size()) == 0;
            for (int axis = 0; axis < last && fits; axis++)
            {
                fits = _strides[(o * Shape.MaxRank) + axis] % width == 0;
            }
        }

        if (!fits)
        {
            return false;
        }

        _shape[last] /= width;
        for (int o = 0; o < _operands; o++)
        {
            for (int axis = 0; axis < last; axis++)
            {
                _strides[(o * Shape.MaxRank) + axis] /= width;
            }
        }

        return true;
    }

    /// <summary>Stride of an operand inside a run.</summary>
    internal readonly long RunStride(int operand) => _strides[(operand * Shape.MaxRank) + _rank - 1];

    /// <summary>Where the current run begins in an operand, in elements.</summary>
    internal readonly long Offset(int operand)
    {
        long offset = 0;
        for (int axis = 0; axis < _rank - 1; axis++)
        {
            offset += _index[axis] * _strides[(operand * Shape.MaxRank) + axis];
        }

        return offset;
    }

    /// <summary>Goes to a run by its number in row-major order.</summary>
    internal void Seek(long run)
    {
        for (int axis = _rank - 2; axis >= 0; axis--)
        {
            (run, long index) = Math.DivRem(run, _shape[axis]);
            _index[axis] = (int)index;
        }
    }

    /// <summary>Goes to the next run.</summary>
    internal void Next()
    {
        for (int axis = _rank - 2; axis >= 0; axis--)
        {
            if (++_index[axis] < _shape[axis])
            {
                return;
            }

            _index[axis] = 0;
        }
    }

    private void Append(int size, int axis, Strides* operands)
    {
        int last = _rank - 1;
        bool merges = _rank > 0 && (long)_shape[last] * size <= int.MaxValue;
        for (int o = 0; o < _operands && merges; o++)
        {
            merges = _strides[(o * Shape.MaxRank) + last] == operands[o][axis] * size;
        }

        if (merges)
        {
            _shape[last] *= size;
        }
        else
        {
            last = _rank++;
            _shape[last] = size;
        }

        for (int o = 0; o < _operands; o++)
        {
            _strides[(o * Shape.MaxRank) + last] = operands[o][axis];
        }
    }

    private static Strides Broadcast(Tensor x, in Shape shape)
    {
        Strides own = x.StridesCopy();
        Strides strides = default;
        int added = shape.Rank - x.Rank;
        for (int axis = added; axis < shape.Rank; axis++)
        {
            strides[axis] = x.Shape[axis - added] == 1 ? 0 : own[axis - added];
        }

        return strides;
    }
}
