using System.Runtime.CompilerServices;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu;

/// <summary>
/// Sums and norms of dense rows. The order of a sum depends on the row's length only: four vectors of partial sums, joined in a fixed tree.
/// </summary>
internal static unsafe class RowKernels
{
    private const int MaxLanes = 16;

    /// <summary>Σ x</summary>
    internal static float Sum<T>(float* x, int n) where T : struct, IVec<T> => Fold<SumFold, T>(x, n, 0);

    /// <summary>Σ (x - mean)²</summary>
    internal static float SquaredDistance<T>(float* x, int n, float mean) where T : struct, IVec<T> => Fold<SquareFold, T>(x, n, mean);

    /// <summary>The largest element; -∞ for none; NaN elements are passed over.</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static float Max<T>(float* x, int n) where T : struct, IVec<T>
    {
        T largest = T.Splat(float.NegativeInfinity);
        int i = 0;
        for (; i <= n - T.Count; i += T.Count)
        {
            largest = T.Max(T.Load(x + i), largest);
        }

        float result = largest.MaxAcross();
        for (; i < n; i++)
        {
            result = x[i] > result ? x[i] : result;
        }

        return result;
    }

    /// <summary>y = x / √(mean(x²) + eps) weight</summary>
    internal static void RmsNorm<T>(float* x, float* weight, float* y, int n, float eps) where T : struct, IVec<T>
    {
        float scale = 1f / MathF.Sqrt((SquaredDistance<T>(x, n, 0) / n) + eps);
        ScaleShift<T>(x, scale, 0, weight, null, y, n);
    }

    /// <summary>y = (x - mean) / √(variance + eps) weight + bias</summary>
    internal static void LayerNorm<T>(float* x, float* weight, float* bias, float* y, int n, float eps) where T : struct, IVec<T>
    {
        float mean = Sum<T>(x, n) / n;
        float scale = 1f / MathF.Sqrt((SquaredDistance<T>(x, n, mean) / n) + eps);
        ScaleShift<T>(x, scale, mean, weight, bias, y, n);
    }

    /// <summary>y = e^(x - max) / Σ</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static void Softmax<T>(float* x, float* y, int n) where T : struct, IVec<T>
    {
        float sum = ExpSum<T>(x, y, n, Max<T>(x, n));
        ElementLoops.MapDense<DivideOp, T>(y, y, n, sum, 0);
    }

    /// <summary>y = x - max - log Σ e^(x - max)</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static void LogSoftmax<T>(float* x, float* y, int n) where T : struct, IVec<T>
    {
        float max = Max<T>(x, n);
        float sum = 0;
        float* buffer = stackalloc float[1024];
        for (int i = 0; i < n; i += 1024)
        {
            sum += ExpSum<T>(x + i, buffer, Math.Min(1024, n - i), max);
        }

        ElementLoops.MapDense<AffineOp, T>(x, y, n, 1, -max);
        ElementLoops.MapDense<AffineOp, T>(y, y, n, 1, -MathF.Log(sum));
    }

    // y = e^(x - max); returns the sum of y.
    [MethodImpl(CpuBackend.Kernel)]
    private static float ExpSum<T>(float* x, float* y, int n, float max) where T : struct, IVec<T>
    {
        ElementLoops.MapDense<ExpShiftedOp, T>(x, y, n, max, 0);
        return Sum<T>(y, n);
    }

    // (x - mean) scale, then weight and bias where given.
    [MethodImpl(CpuBackend.Kernel)]
    private static void ScaleShift<T>(float* x, float scale, float mean, float* weight, float* bias, float* y, int n) where T : struct, IVec<T>
    {
        T s = T.Splat(scale);
        T m = T.Splat(mean);
        float* tail = stackalloc float[MaxLanes * 3];
        for (int i = 0; i < n; i += T.Count)
        {
            int count = Math.Min(T.Count, n - i);
            bool whole = count == T.Count;
            T v = (Part<T>(x + i, tail, count) - m) * s;
            if (weight != null)
            {
                v *= Part<T>(weight + i, tail + MaxLanes, count);
            }

            if (bias != null)
            {
                v += Part<T>(bias + i, tail + (2 * MaxLanes), count);
            }

            if (whole)
            {
                v.Store(y + i);
            }
            else
            {
                v.Store(tail);
                Unsafe.CopyBlock(y + i, tail, (uint)count * sizeof(float));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Part<T>(float* x, float* buffer, int count) where T : struct, IVec<T>
    {
        if (count == T.Count)
        {
            return T.Load(x);
        }

        T.Zero.Store(buffer);
        Unsafe.CopyBlock(buffer, x, (uint)count * sizeof(float));
        return T.Load(buffer);
    }

    [MethodImpl(CpuBackend.Kernel)]
    private static float Fold<TFold, T>(float* x, int n, float shift)
        where TFold : struct, IFold
        where T : struct, IVec<T>
    {
        T v = T.Splat(shift);
        T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero;
        int i = 0;
        for (; i <= n - (4 * T.Count); i += 4 * T.Count)
        {
            s0 = TFold.Step(s0, T.Load(x + i), v);
            s1 = TFold.Step(s1, T.Load(x + i + T.Count), v);
            s2 = TFold.Step(s2, T.Load(x + i + (2 * T.Count)), v);
            s3 = TFold.Step(s3, T.Load(x + i + (3 * T.Count)), v);
        }

        for (; i <= n - T.Count; i += T.Count)
        {
            s0 = TFold.Step(s0, T.Load(x + i), v);
        }

        if (i < n)
        {
            float* tail = stackalloc float[MaxLanes];
            v.Store(tail); // the shift itself adds nothing to a sum of squares, and the shift of a plain sum is 0
            Unsafe.CopyBlock(tail, x + i, (uint)(n - i) * sizeof(float));
            s1 = TFold.Step(s1, T.Load(tail), v);
        }

        return ((s0 + s1) + (s2 + s3)).SumAcross();
    }

    private interface IFold
    {
        static abstract T Step<T>(T sum, T x, T shift) where T : struct, IVec<T>;
    }

    private readonly struct SumFold : IFold
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Step<T>(T sum, T x, T shift) where T : struct, IVec<T> => sum + x;
    }

    private readonly struct SquareFold : IFold
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Step<T>(T sum, T x, T shift) where T : struct, IVec<T>
        {
            T d = x - shift;
            return T.Fma(d, d, sum);
        }
    }

    private readonly struct DivideOp : IUnaryOp
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => x / a;
    }

    private readonly struct ExpShiftedOp : IUnaryOp
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Invoke<T>(T x, T a, T b) where T : struct, IVec<T> => VectorMath.Exp(x - a);
    }
}
