namespace MmCluster.Tensors.Cpu;

/// <summary>
/// Walks up to four operands of one broadcast shape. Neighbouring axes that lie evenly in all operands are merged, so that dense operands
/// become one run; the caller handles runs along the last axis and asks for the next.
/// </summary>
internal ref struct StridedLoop
{
    private readonly Span<int> _shape;
    private readonly Span<long> _strides; // [operand][axis]
    private readonly Span<int> _index;

    /// <param name="shape">The broadcast shape.</param>
    /// <param name="operands">Strides in elements, the first operand's first.</param>
    /// <param name="scratch">At least <see cref="Shape.MaxRank"/> * (2 + 2 * operands) ints of the caller's stack.</param>
    internal StridedLoop(in Shape shape, ReadOnlySpan<Strides> operands, Span<int> scratch)
    {
        _shape = scratch[..Shape.MaxRank];
        _index = scratch.Slice(Shape.MaxRank, Shape.MaxRank);
        _strides = System.Runtime.InteropServices.MemoryMarshal.Cast<int, long>(scratch[(2 * Shape.MaxRank)..]);
        _index.Clear();
        int rank = 0;
        for (int axis = 0; axis < shape.Rank; axis++)
        {
            if (shape[axis] == 1)
            {
                continue;
            }

            if (rank > 0 && Merges(rank - 1, axis, shape[axis], operands))
            {
                _shape[rank - 1] *= shape[axis];
            }
            else
            {
                _shape[rank++] = shape[axis];
            }

            for (int o = 0; o < operands.Length; o++)
            {
                _strides[(o * Shape.MaxRank) + rank - 1] = operands[o][axis];
            }
        }

        if (rank == 0)
        {
            _shape[0] = 1;
            rank = 1;
            for (int o = 0; o < operands.Length; o++)
            {
                _strides[o * Shape.MaxRank] = 0;
            }
        }

        Rank = rank;
        Runs = 1;
        for (int axis = 0; axis < rank - 1; axis++)
        {
            Runs *= _shape[axis];
        }

        if (_shape[rank - 1] == 0)
        {
            Runs = 0;
        }
    }

    internal int Rank { get; }

    /// <summary>How many runs there are; 0 when the shape is empty.</summary>
    internal long Runs { get; }

    /// <summary>Elements of a run.</summary>
    internal readonly int RunLength => _shape[Rank - 1];

    /// <summary>Stride of an operand inside a run.</summary>
    internal readonly long RunStride(int operand) => _strides[(operand * Shape.MaxRank) + Rank - 1];

    /// <summary>Where the current run begins in an operand, in elements.</summary>
    internal readonly long Offset(int operand)
    {
        long offset = 0;
        for (int axis = 0; axis < Rank - 1; axis++)
        {
            offset += _index[axis] * _strides[(operand * Shape.MaxRank) + axis];
        }

        return offset;
    }

    /// <summary>Goes to a run by its number in row-major order.</summary>
    internal readonly void Seek(long run)
    {
        for (int axis = Rank - 2; axis >= 0; axis--)
        {
            (run, long index) = Math.DivRem(run, _shape[axis]);
            _index[axis] = (int)index;
        }
    }

    /// <summary>Goes to the next run.</summary>
    internal readonly void Next()
    {
        for (int axis = Rank - 2; axis >= 0; axis--)
        {
            if (++_index[axis] < _shape[axis])
            {
                return;
            }

            _index[axis] = 0;
        }
    }

    private readonly bool Merges(int merged, int axis, int size, ReadOnlySpan<Strides> operands)
    {
        if ((long)_shape[merged] * size > int.MaxValue)
        {
            return false;
        }

        for (int o = 0; o < operands.Length; o++)
        {
            if (_strides[(o * Shape.MaxRank) + merged] != operands[o][axis] * size)
            {
                return false;
            }
        }

        return true;
    }
}
