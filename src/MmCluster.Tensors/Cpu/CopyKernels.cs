namespace MmCluster.Tensors.Cpu;

/// <summary>Strided copies and element type conversions.</summary>
internal static unsafe class CopyKernels
{
    internal static void Copy(Tensor source, Tensor destination)
    {
        if (source.DType.IsQuantized())
        {
            CopyQuantized(source, destination);
            return;
        }

        StridedLoop loop = StridedLoop.Over(destination.Shape, source, destination);
        int n = loop.RunLength;
        long sourceStep = loop.RunStride(0);
        long destinationStep = loop.RunStride(1);
        int sourceSize = source.DType.Size();
        int destinationSize = destination.DType.Size();
        byte* from = source.Data;
        byte* to = destination.Data;
        for (long run = 0; run < loop.Runs; run++, loop.Next())
        {
            byte* s = from + (loop.Offset(0) * sourceSize);
            byte* d = to + (loop.Offset(1) * destinationSize);
            if (source.DType == destination.DType)
            {
                Move(s, sourceStep, d, destinationStep, n, sourceSize);
            }
            else
            {
                Convert(source.DType, s, sourceStep, destination.DType, d, destinationStep, n);
            }
        }
    }

    /// <summary>Widens F16, BF16 or F32 values to dense F32.</summary>
    internal static void Widen(DType dtype, byte* source, long step, float* destination, int n)
    {
        if (step != 1)
        {
            Convert(dtype, source, step, DType.F32, (byte*)destination, 1, n);
        }
        else if (dtype == DType.F32)
        {
            Buffer.MemoryCopy(source, destination, n * 4L, n * 4L);
        }
        else if (dtype == DType.BF16)
        {
            HalfKernels.WidenBF16((ushort*)source, destination, n);
        }
        else
        {
            HalfKernels.WidenF16((ushort*)source, destination, n);
        }
    }

    private static void Move(byte* s, long sourceStep, byte* d, long destinationStep, int n, int size)
    {
        if ((sourceStep == 1 && destinationStep == 1) || n == 1)
        {
            Buffer.MemoryCopy(s, d, (long)n * size, (long)n * size);
            return;
        }

        switch (size)
        {
            case 1: MoveStrided(s, sourceStep, d, destinationStep, n); break;
            case 2: MoveStrided((ushort*)s, sourceStep, (ushort*)d, destinationStep, n); break;
            case 4: MoveStrided((uint*)s, sourceStep, (uint*)d, destinationStep, n); break;
            default: MoveStrided((ulong*)s, sourceStep, (ulong*)d, destinationStep, n); break;
        }
    }

    private static void MoveStrided<T>(T* s, long sourceStep, T* d, long destinationStep, int n) where T : unmanaged
    {
        for (int i = 0; i < n; i++, s += sourceStep, d += destinationStep)
        {
            *d = *s;
        }
    }

    private static void Convert(DType sourceType, byte* s, long sourceStep, DType destinationType, byte* d, long destinationStep, int n)
    {
        if (sourceStep == 1 && destinationStep == 1 && HalfKernels.TryConvert(sourceType, s, destinationType, d, n))
        {
            return;
        }

        switch (sourceType)
        {
            case DType.F32: To<float, FromF32>((float*)s, sourceStep, destinationType, d, destinationStep, n); break;
            case DType.F16: To<Half, FromF16>((Half*)s, sourceStep, destinationType, d, destinationStep, n); break;
            case DType.BF16: To<ushort, FromBF16>((ushort*)s, sourceStep, destinationType, d, destinationStep, n); break;
            case DType.I64: To<long, FromI64>((long*)s, sourceStep, destinationType, d, destinationStep, n); break;
            case DType.I32: To<int, FromI32>((int*)s, sourceStep, destinationType, d, destinationStep, n); break;
            default: To<byte, FromU8>(s, sourceStep, destinationType, d, destinationStep, n); break;
        }
    }

    private static void To<T, TFrom>(T* s, long sourceStep, DType destinationType, byte* d, long destinationStep, int n)
        where T : unmanaged
        where TFrom : IReader<T>
    {
        for (int i = 0; i < n; i++, s += sourceStep)
        {
            long at = i * destinationStep;
            switch (destinationType)
            {
                case DType.F32: ((float*)d)[at] = (float)TFrom.Real(*s); break;
                case DType.F16: ((Half*)d)[at] = (Half)TFrom.Real(*s); break;
                case DType.BF16: ((ushort*)d)[at] = BFloat16.Round((float)TFrom.Real(*s)); break;
                case DType.I64: ((long*)d)[at] = TFrom.Whole(*s); break;
                case DType.I32: ((int*)d)[at] = (int)TFrom.Whole(*s); break;
                case DType.U8: d[at] = (byte)TFrom.Whole(*s); break;
                default: d[at] = TFrom.Real(*s) != 0 ? (byte)1 : (byte)0; break;
            }
        }
    }

    private static void CopyQuantized(Tensor source, Tensor destination)
    {
        int n = destination.Shape[^1];
        long rows = n == 0 ? 0 : destination.ElementCount / n;
        long rowBytes = source.DType.Bytes(n);
        if (destination.DType == source.DType)
        {
            Buffer.MemoryCopy(source.Data, destination.Data, rows * rowBytes, rows * rowBytes);
            return;
        }

        if (destination.DType != DType.F32 || !destination.IsContiguous || !source.IsContiguous)
        {
            throw new ArgumentException($"copy: {source} to {destination}; a block format converts whole, to contiguous F32");
        }

        for (long row = 0; row < rows; row++)
        {
            Quantization.Dequantize(source.DType, source.Data + (row * rowBytes), destination.Pointer<float>() + (row * n), n);
        }
    }

    private interface IReader<T>
    {
        static abstract double Real(T value);

        static abstract long Whole(T value);
    }

    private readonly struct FromF32 : IReader<float>
    {
        public static double Real(float value) => value;

        public static long Whole(float value) => (long)value;
    }

    private readonly struct FromF16 : IReader<Half>
    {
        public static double Real(Half value) => (double)value;

        public static long Whole(Half value) => (long)value;
    }

    private readonly struct FromBF16 : IReader<ushort>
    {
        public static double Real(ushort value) => BFloat16.Widen(value);

        public static long Whole(ushort value) => (long)BFloat16.Widen(value);
    }

    private readonly struct FromI64 : IReader<long>
    {
        public static double Real(long value) => value;

        public static long Whole(long value) => value;
    }

    private readonly struct FromI32 : IReader<int>
    {
        public static double Real(int value) => value;

        public static long Whole(int value) => value;
    }

    private readonly struct FromU8 : IReader<byte>
    {
        public static double Real(byte value) => value;

        public static long Whole(byte value) => value;
    }
}
