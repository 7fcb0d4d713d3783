namespace MmCluster.Tensors.Cpu;

/// <summary>Elementwise operations that are never hot: transcendental functions outside networks' loops, integers, comparisons, choices.</summary>
internal static unsafe class ScalarLoops
{
    internal static void Map(UnaryOperation operation, Tensor x, Tensor y, float a)
    {
        StridedLoop loop = StridedLoop.Over(y.Shape, x, y);
        for (long run = 0; run < loop.Runs; run++, loop.Next())
        {
            float* from = x.Pointer<float>() + loop.Offset(0);
            float* to = y.Pointer<float>() + loop.Offset(1);
            for (int i = 0; i < loop.RunLength; i++, from += loop.RunStride(0), to += loop.RunStride(1))
            {
                *to = operation switch
                {
                    UnaryOperation.Log => MathF.Log(*from),
                    UnaryOperation.Sin => MathF.Sin(*from),
                    UnaryOperation.Cos => MathF.Cos(*from),
                    UnaryOperation.Pow => (float)Math.Pow(*from, a),
                    _ => throw new NotSupportedException($"{operation} is not a scalar operation"),
                };
            }
        }
    }

    internal static void Zip(BinaryOperation operation, Tensor x, Tensor y, Tensor z)
    {
        StridedLoop loop = StridedLoop.Over(z.Shape, x, y, z);
        for (long run = 0; run < loop.Runs; run++, loop.Next())
        {
            for (int i = 0; i < loop.RunLength; i++)
            {
                long left = loop.Offset(0) + (i * loop.RunStride(0));
                long right = loop.Offset(1) + (i * loop.RunStride(1));
                long to = loop.Offset(2) + (i * loop.RunStride(2));
                if (z.DType == DType.Bool)
                {
                    z.Data[to] = Compare(operation, x, left, y, right) ? (byte)1 : (byte)0;
                }
                else if (z.DType == DType.F32)
                {
                    z.Pointer<float>()[to] = (float)Math.Pow(x.Pointer<float>()[left], y.Pointer<float>()[right]);
                }
                else
                {
                    Write(z, to, Combine(operation, Read(x, left), Read(y, right)));
                }
            }
        }
    }

    internal static void Where(Tensor condition, Tensor x, Tensor y, Tensor z)
    {
        int size = z.DType.Size();
        StridedLoop loop = StridedLoop.Over(z.Shape, condition, x, y, z);
        for (long run = 0; run < loop.Runs; run++, loop.Next())
        {
            for (int i = 0; i < loop.RunLength; i++)
            {
                bool first = condition.Data[loop.Offset(0) + (i * loop.RunStride(0))] != 0;
                byte* from = first
                    ? x.Data + ((loop.Offset(1) + (i * loop.RunStride(1))) * size)
                    : y.Data + ((loop.Offset(2) + (i * loop.RunStride(2))) * size);
                byte* to = z.Data + ((loop.Offset(3) + (i * loop.RunStride(3))) * size);
                new ReadOnlySpan<byte>(from, size).CopyTo(new Span<byte>(to, size));
            }
        }
    }

    /// <summary>An integer element.</summary>
    internal static long Read(Tensor x, long at) => x.DType switch
    {
        DType.I64 => x.Pointer<long>()[at],
        DType.I32 => x.Pointer<int>()[at],
        _ => x.Data[at],
    };

    private static void Write(Tensor z, long at, long value)
    {
        switch (z.DType)
        {
            case DType.I64: z.Pointer<long>()[at] = value; break;
            case DType.I32: z.Pointer<int>()[at] = (int)value; break;
            default: z.Data[at] = (byte)value; break;
        }
    }

    private static long Combine(BinaryOperation operation, long x, long y) => operation switch
    {
        BinaryOperation.Add => x + y,
        BinaryOperation.Sub => x - y,
        BinaryOperation.Mul => x * y,
        BinaryOperation.Maximum => Math.Max(x, y),
        BinaryOperation.Minimum => Math.Min(x, y),
        _ => throw new NotSupportedException($"{operation} on integers: convert to F32"),
    };

    private static bool Compare(BinaryOperation operation, Tensor x, long left, Tensor y, long right) => x.DType == DType.F32
        ? Compare(operation, x.Pointer<float>()[left], y.Pointer<float>()[right])
        : Compare(operation, Read(x, left), Read(y, right));

    private static bool Compare<T>(BinaryOperation operation, T x, T y) where T : System.Numerics.INumber<T> => operation switch
    {
        BinaryOperation.Equal => x == y,
        BinaryOperation.NotEqual => x != y,
        BinaryOperation.Less => x < y,
        BinaryOperation.LessEqual => x <= y,
        BinaryOperation.Greater => x > y,
        _ => x >= y,
    };
}
