using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu;

// Elementwise operations: which loop, and how it is split.
internal sealed unsafe partial class CpuBackend
{
    private const int ElementsAPart = 16384; // some microseconds of work: more than a region costs

    public void Unary(UnaryOperation operation, Tensor x, Tensor y, float a, float b)
    {
        switch (operation)
        {
            case UnaryOperation.Neg: Map<NegOp>(x, y, a, b); break;
            case UnaryOperation.Abs: Map<AbsOp>(x, y, a, b); break;
            case UnaryOperation.Exp: Map<ExpOp>(x, y, a, b); break;
            case UnaryOperation.Sqrt: Map<SqrtOp>(x, y, a, b); break;
            case UnaryOperation.Rsqrt: Map<RsqrtOp>(x, y, a, b); break;
            case UnaryOperation.Clamp: Map<ClampOp>(x, y, a, b); break;
            case UnaryOperation.Affine: Map<AffineOp>(x, y, a, b); break;
            case UnaryOperation.Reciprocal: Map<ReciprocalOp>(x, y, a, b); break;
            case UnaryOperation.Relu: Map<ReluOp>(x, y, a, b); break;
            case UnaryOperation.Gelu: Map<GeluOp>(x, y, a, b); break;
            case UnaryOperation.GeluTanh: Map<GeluTanhOp>(x, y, a, b); break;
            case UnaryOperation.QuickGelu: Map<QuickGeluOp>(x, y, a, b); break;
            case UnaryOperation.Silu: Map<SiluOp>(x, y, a, b); break;
            case UnaryOperation.Sigmoid: Map<SigmoidOp>(x, y, a, b); break;
            case UnaryOperation.Tanh: Map<TanhOp>(x, y, a, b); break;
            case UnaryOperation.Erf: Map<ErfOp>(x, y, a, b); break;
            default: ScalarLoops.Map(operation, x, y, a); break;
        }
    }

    public void Binary(BinaryOperation operation, Tensor x, Tensor y, Tensor z)
    {
        if (x.DType != DType.F32 || z.DType != DType.F32)
        {
            ScalarLoops.Zip(operation, x, y, z);
            return;
        }

        switch (operation)
        {
            case BinaryOperation.Add: Zip<AddOp>(x, y, z); break;
            case BinaryOperation.Sub: Zip<SubOp>(x, y, z); break;
            case BinaryOperation.Mul: Zip<MulOp>(x, y, z); break;
            case BinaryOperation.Div: Zip<DivOp>(x, y, z); break;
            case BinaryOperation.Maximum: Zip<MaximumOp>(x, y, z); break;
            case BinaryOperation.Minimum: Zip<MinimumOp>(x, y, z); break;
            case BinaryOperation.SiluMul: Zip<SiluMulOp>(x, y, z); break;
            case BinaryOperation.GeluMul: Zip<GeluMulOp>(x, y, z); break;
            case BinaryOperation.GeluTanhMul: Zip<GeluTanhMulOp>(x, y, z); break;
            default: ScalarLoops.Zip(operation, x, y, z); break;
        }
    }

    public void Where(Tensor condition, Tensor x, Tensor y, Tensor z) => ScalarLoops.Where(condition, x, y, z);

    private void Map<TOp>(Tensor x, Tensor y, float a, float b) where TOp : unmanaged, IUnaryOp
    {
        if (SimdLevel.Has512)
        {
            Map<TOp, Vec512>(x, y, a, b);
        }
        else if (SimdLevel.Has256)
        {
            Map<TOp, Vec256>(x, y, a, b);
        }
        else
        {
            Map<TOp, Vec128>(x, y, a, b);
        }
    }

    private void Map<TOp, T>(Tensor x, Tensor y, float a, float b)
        where TOp : unmanaged, IUnaryOp
        where T : unmanaged, IVec<T>
    {
        MapBody<TOp, T> body = default;
        body.Loop = StridedLoop.Over(y.Shape, x, y);
        body.Split = RunSplit.Of(body.Loop, ElementsAPart);
        body.X = x.Pointer<float>();
        body.Y = y.Pointer<float>();
        body.A = a;
        body.B = b;
        _pool.Run(body.Split.Parts, ref body);
    }

    private void Zip<TOp>(Tensor x, Tensor y, Tensor z) where TOp : unmanaged, IBinaryOp
    {
        if (SimdLevel.Has512)
        {
            Zip<TOp, Vec512>(x, y, z);
        }
        else if (SimdLevel.Has256)
        {
            Zip<TOp, Vec256>(x, y, z);
        }
        else
        {
            Zip<TOp, Vec128>(x, y, z);
        }
    }

    private void Zip<TOp, T>(Tensor x, Tensor y, Tensor z)
        where TOp : unmanaged, IBinaryOp
        where T : unmanaged, IVec<T>
    {
        ZipBody<TOp, T> body = default;
        body.Loop = StridedLoop.Over(z.Shape, x, y, z);
        body.Split = RunSplit.Of(body.Loop, ElementsAPart);
        body.X = x.Pointer<float>();
        body.Y = y.Pointer<float>();
        body.Z = z.Pointer<float>();
        _pool.Run(body.Split.Parts, ref body);
    }

    private struct MapBody<TOp, T> : IParallelBody
        where TOp : unmanaged, IUnaryOp
        where T : unmanaged, IVec<T>
    {
        internal StridedLoop Loop;
        internal RunSplit Split;
        internal float* X;
        internal float* Y;
        internal float A;
        internal float B;

        public readonly void Invoke(int part)
        {
            StridedLoop loop = Loop;
            (long run, long end, int start, int count) = Split.Part(part);
            loop.Seek(run);
            long xStep = loop.RunStride(0);
            long yStep = loop.RunStride(1);
            for (; run < end; run++, loop.Next())
            {
                float* x = X + loop.Offset(0) + (start * xStep);
                ElementLoops.Map<TOp, T>(x, xStep, Y + loop.Offset(1) + (start * yStep), yStep, count, A, B);
            }
        }
    }

    private struct ZipBody<TOp, T> : IParallelBody
        where TOp : unmanaged, IBinaryOp
        where T : unmanaged, IVec<T>
    {
        internal StridedLoop Loop;
        internal RunSplit Split;
        internal float* X;
        internal float* Y;
        internal float* Z;

        public readonly void Invoke(int part)
        {
            StridedLoop loop = Loop;
            (long run, long end, int start, int count) = Split.Part(part);
            loop.Seek(run);
            long xStep = loop.RunStride(0);
            long yStep = loop.RunStride(1);
            long zStep = loop.RunStride(2);
            for (; run < end; run++, loop.Next())
            {
                float* x = X + loop.Offset(0) + (start * xStep);
                float* y = Y + loop.Offset(1) + (start * yStep);
                ElementLoops.Zip<TOp, T>(x, xStep, y, yStep, Z + loop.Offset(2) + (start * zStep), zStep, count);
            }
        }
    }
}

/// <summary>Cuts the runs of a strided loop into parts: several runs a part, or several parts a run when there is one run only.</summary>
internal struct RunSplit
{
    private long _runs;
    private int _length;
    private long _runsAPart; // 0: the only run is cut
    private int _elementsAPart;

    internal int Parts { get; private set; }

    internal static RunSplit Of(in StridedLoop loop, int elements)
    {
        RunSplit split = default;
        split._runs = loop.Runs;
        split._length = loop.RunLength;
        split._elementsAPart = elements;
        if (loop.Runs == 1)
        {
            split.Parts = (loop.RunLength + elements - 1) / elements;
        }
        else
        {
            split._runsAPart = Math.Max(1, elements / Math.Max(1, loop.RunLength));
            split.Parts = checked((int)((loop.Runs + split._runsAPart - 1) / split._runsAPart));
        }

        return split;
    }

    /// <summary>Runs [First, End) and in each of them Count elements from Start.</summary>
    internal readonly (long First, long End, int Start, int Count) Part(int part)
    {
        if (_runsAPart > 0)
        {
            long first = part * _runsAPart;
            return (first, Math.Min(first + _runsAPart, _runs), 0, _length);
        }

        int start = part * _elementsAPart;
        return (0, 1, start, Math.Min(_elementsAPart, _length - start));
    }
}
