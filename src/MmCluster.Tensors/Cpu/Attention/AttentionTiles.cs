using System.Runtime.CompilerServices;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu.Attention;

/// <summary>The inner loops of attention over one block of 16 positions.</summary>
internal static unsafe class AttentionTiles
{
    /// <summary>scores[rows][16] = q[d][rows] keys[d][16], each a chain of fused multiply-adds over d. Rows: 1 or a multiple of 4.</summary>
    internal static void Scores<T>(float* q, int rows, float* keys, int depth, float* scores) where T : struct, IVec<T>
    {
        for (int column = 0; column < 16; column += T.Count)
        {
            if (rows == 1)
            {
                T s = T.Zero;
                for (int d = 0; d < depth; d++)
                {
                    s = T.Fma(T.Splat(q[d]), T.Load(keys + (d * 16) + column), s);
                }

                s.Store(scores + column);
                continue;
            }

            int row = 0;
            for (; row + 8 <= rows; row += 8)
            {
                Scores8<T>(q + row, rows, keys + column, depth, scores + (row * 16) + column);
            }

            if (row < rows)
            {
                Scores4<T>(q + row, rows, keys + column, depth, scores + (row * 16) + column);
            }
        }
    }

    private static void Scores4<T>(float* q, int rows, float* keys, int depth, float* scores) where T : struct, IVec<T>
    {
        T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero;
        for (int d = 0; d < depth; d++, q += rows, keys += 16)
        {
            T k = T.Load(keys);
            s0 = T.Fma(T.Splat(q[0]), k, s0);
            s1 = T.Fma(T.Splat(q[1]), k, s1);
            s2 = T.Fma(T.Splat(q[2]), k, s2);
            s3 = T.Fma(T.Splat(q[3]), k, s3);
        }

        s0.Store(scores);
        s1.Store(scores + 16);
        s2.Store(scores + 32);
        s3.Store(scores + 48);
    }

    private static void Scores8<T>(float* q, int rows, float* keys, int depth, float* scores) where T : struct, IVec<T>
    {
        T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero, s4 = T.Zero, s5 = T.Zero, s6 = T.Zero, s7 = T.Zero;
        for (int d = 0; d < depth; d++, q += rows, keys += 16)
        {
            T k = T.Load(keys);
            s0 = T.Fma(T.Splat(q[0]), k, s0);
            s1 = T.Fma(T.Splat(q[1]), k, s1);
            s2 = T.Fma(T.Splat(q[2]), k, s2);
            s3 = T.Fma(T.Splat(q[3]), k, s3);
            s4 = T.Fma(T.Splat(q[4]), k, s4);
            s5 = T.Fma(T.Splat(q[5]), k, s5);
            s6 = T.Fma(T.Splat(q[6]), k, s6);
            s7 = T.Fma(T.Splat(q[7]), k, s7);
        }

        s0.Store(scores);
        s1.Store(scores + 16);
        s2.Store(scores + 32);
        s3.Store(scores + 48);
        s4.Store(scores + 64);
        s5.Store(scores + 80);
        s6.Store(scores + 96);
        s7.Store(scores + 112);
    }

    /// <summary>c tanh(s / c) on 16 scores.</summary>
    internal static void Cap<T>(float* s, float cap) where T : struct, IVec<T>
    {
        for (int i = 0; i < 16; i += T.Count)
        {
            (T.Splat(cap) * VectorMath.Tanh(T.Load(s + i) / T.Splat(cap))).Store(s + i);
        }
    }

    /// <summary>
    /// One step of the running softmax: the largest so far m becomes m', the scores e^(s - m'), the lanes' sums shrink by e^(m - m') and take the
    /// weights. False, with all weights 0, where every score is -∞.
    /// </summary>
    internal static bool Advance<T>(float* s, float* sums, ref float largest, ref float factor) where T : struct, IVec<T>
    {
        float top = largest;
        for (int i = 0; i < 16; i += T.Count)
        {
            top = MathF.Max(top, T.Load(s + i).MaxAcross());
        }

        if (top == float.NegativeInfinity)
        {
            new Span<float>(s, 16).Clear();
            return false;
        }

        factor = ExpOne<T>(largest - top);
        largest = top;
        for (int i = 0; i < 16; i += T.Count)
        {
            T weight = VectorMath.Exp(T.Load(s + i) - T.Splat(top));
            weight.Store(s + i);
            T.Fma(T.Load(sums + i), T.Splat(factor), weight).Store(sums + i);
        }

        return true;
    }

    /// <summary>sums[row] = sums[row] factor[row] + Σ weights[row][j] values[j] over the first count positions.</summary>
    internal static void AddValues<T>(float* weights, float* factors, int rows, float* values, int step, int count, float* sums)
        where T : struct, IVec<T>
    {
        int column = 0;
        for (; column + (4 * T.Count) <= step; column += 4 * T.Count)
        {
            int row = 0;
            for (; row + 2 <= rows; row += 2)
            {
                AddValues2x4<T>(weights + (row * 16), factors + row, values + column, step, count, sums + (row * step) + column);
            }

            if (row < rows)
            {
                AddValues1x4<T>(weights + (row * 16), factors[row], values + column, step, count, sums + (row * step) + column);
            }
        }

        for (; column < step; column += T.Count)
        {
            for (int row = 0; row < rows; row++)
            {
                float* to = sums + (row * step) + column;
                T sum = T.Load(to) * T.Splat(factors[row]);
                for (int j = 0; j < count; j++)
                {
                    sum = T.Fma(T.Splat(weights[(row * 16) + j]), T.Load(values + (j * step) + column), sum);
                }

                sum.Store(to);
            }
        }
    }

    private static void AddValues1x4<T>(float* w, float factor, float* values, int step, int count, float* sums) where T : struct, IVec<T>
    {
        T f = T.Splat(factor);
        T a0 = T.Load(sums) * f, a1 = T.Load(sums + T.Count) * f, a2 = T.Load(sums + (2 * T.Count)) * f, a3 = T.Load(sums + (3 * T.Count)) * f;
        for (int j = 0; j < count; j++, values += step)
        {
            T x = T.Splat(w[j]);
            a0 = T.Fma(x, T.Load(values), a0);
            a1 = T.Fma(x, T.Load(values + T.Count), a1);
            a2 = T.Fma(x, T.Load(values + (2 * T.Count)), a2);
            a3 = T.Fma(x, T.Load(values + (3 * T.Count)), a3);
        }

        a0.Store(sums);
        a1.Store(sums + T.Count);
        a2.Store(sums + (2 * T.Count));
        a3.Store(sums + (3 * T.Count));
    }

    private static void AddValues2x4<T>(float* w, float* factors, float* values, int step, int count, float* sums) where T : struct, IVec<T>
    {
        T f = T.Splat(factors[0]);
        T g = T.Splat(factors[1]);
        float* next = sums + step;
        T a0 = T.Load(sums) * f, a1 = T.Load(sums + T.Count) * f, a2 = T.Load(sums + (2 * T.Count)) * f, a3 = T.Load(sums + (3 * T.Count)) * f;
        T b0 = T.Load(next) * g, b1 = T.Load(next + T.Count) * g, b2 = T.Load(next + (2 * T.Count)) * g, b3 = T.Load(next + (3 * T.Count)) * g;
        for (int j = 0; j < count; j++, values += step)
        {
            T v0 = T.Load(values), v1 = T.Load(values + T.Count), v2 = T.Load(values + (2 * T.Count)), v3 = T.Load(values + (3 * T.Count));
            T x = T.Splat(w[j]);
            a0 = T.Fma(x, v0, a0);
            a1 = T.Fma(x, v1, a1);
            a2 = T.Fma(x, v2, a2);
            a3 = T.Fma(x, v3, a3);
            T y = T.Splat(w[16 + j]);
            b0 = T.Fma(y, v0, b0);
            b1 = T.Fma(y, v1, b1);
            b2 = T.Fma(y, v2, b2);
            b3 = T.Fma(y, v3, b3);
        }

        a0.Store(sums);
        a1.Store(sums + T.Count);
        a2.Store(sums + (2 * T.Count));
        a3.Store(sums + (3 * T.Count));
        b0.Store(next);
        b1.Store(next + T.Count);
        b2.Store(next + (2 * T.Count));
        b3.Store(next + (3 * T.Count));
    }

    /// <summary>y = sums / Σ weights; zeros where nothing was visible.</summary>
    internal static void Finish<T>(float* sums, float* weights, float* y, int n) where T : struct, IVec<T>
    {
        float total = 0;
        for (int i = 0; i < 16; i += T.Count)
        {
            total += T.Load(weights + i).SumAcross();
        }

        float scale = total > 0 ? 1 / total : total == 0 ? 0 : float.NaN;
        ElementLoops.MapDense<AffineOp, T>(sums, y, n, scale, 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float ExpOne<T>(float x) where T : struct, IVec<T>
    {
        if (x == 0)
        {
            return 1; // what the polynomial gives too
        }

        float* lanes = stackalloc float[16];
        VectorMath.Exp(T.Splat(x)).Store(lanes);
        return lanes[0];
    }
}
