using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static System.Runtime.Intrinsics.Vector512;

namespace MmCluster.Tensors.Cpu.Linear;

/// <summary>
/// C[rows x 64] (+)= A[k][rows] W[k][64] with AVX-512: 24 accumulators for 6 rows. Every element of C is one chain of fused multiply-adds over k,
/// whatever the number of rows. The compiler drops the rows that <c>TRows</c> does not have.
/// </summary>
internal readonly unsafe struct FloatTiles512<TPanel> : IFloatTiles where TPanel : struct, IFloatPanel
{
    public static int BytesAK => TPanel.BytesAK;

    public static void Tile(int rows, float* a, byte* b, float* c, nint ldc, nint depth, bool accumulate)
    {
        switch (rows)
        {
            case 1: One(a, b, c, depth, accumulate); break;
            case 2: Many<Rows2>(a, b, c, ldc, depth, accumulate); break;
            case 3: Many<Rows3>(a, b, c, ldc, depth, accumulate); break;
            case 4: Many<Rows4>(a, b, c, ldc, depth, accumulate); break;
            case 5: Many<Rows5>(a, b, c, ldc, depth, accumulate); break;
            default: Many<Rows6>(a, b, c, ldc, depth, accumulate); break;
        }
    }

    // One linear stream, neither unrolled nor prefetched: that is what the memory likes best.
    [MethodImpl(CpuBackend.Kernel)]
    private static void One(float* a, byte* b, float* c, nint depth, bool accumulate)
    {
        Vector512<float> c0 = Vector512<float>.Zero, c1 = c0, c2 = c0, c3 = c0;
        if (accumulate)
        {
            c0 = Load(c); c1 = Load(c + 16); c2 = Load(c + 32); c3 = Load(c + 48);
        }

        for (nint k = 0; k < depth; k++, b += TPanel.BytesAK)
        {
            TPanel.Load(b, out Vector512<float> w0, out Vector512<float> w1, out Vector512<float> w2, out Vector512<float> w3);
            Vector512<float> x = Create(a[k]);
            c0 = FusedMultiplyAdd(x, w0, c0); c1 = FusedMultiplyAdd(x, w1, c1); c2 = FusedMultiplyAdd(x, w2, c2); c3 = FusedMultiplyAdd(x, w3, c3);
        }

        c0.Store(c); c1.Store(c + 16); c2.Store(c + 32); c3.Store(c + 48);
    }

    [MethodImpl(CpuBackend.Kernel)]
    private static void Many<TRows>(float* a, byte* b, float* c, nint ldc, nint depth, bool accumulate) where TRows : struct, IRows
    {
        Vector512<float> zero = Vector512<float>.Zero;
        Vector512<float> c00 = zero, c01 = zero, c02 = zero, c03 = zero;
        Vector512<float> c10 = zero, c11 = zero, c12 = zero, c13 = zero;
        Vector512<float> c20 = zero, c21 = zero, c22 = zero, c23 = zero;
        Vector512<float> c30 = zero, c31 = zero, c32 = zero, c33 = zero;
        Vector512<float> c40 = zero, c41 = zero, c42 = zero, c43 = zero;
        Vector512<float> c50 = zero, c51 = zero, c52 = zero, c53 = zero;
        if (accumulate)
        {
            c00 = Load(c); c01 = Load(c + 16); c02 = Load(c + 32); c03 = Load(c + 48);
            if (TRows.Value > 1)
            {
                c10 = Load(c + ldc); c11 = Load(c + ldc + 16); c12 = Load(c + ldc + 32); c13 = Load(c + ldc + 48);
            }

            if (TRows.Value > 2)
            {
                c20 = Load(c + (2 * ldc)); c21 = Load(c + (2 * ldc) + 16); c22 = Load(c + (2 * ldc) + 32); c23 = Load(c + (2 * ldc) + 48);
            }

            if (TRows.Value > 3)
            {
                c30 = Load(c + (3 * ldc)); c31 = Load(c + (3 * ldc) + 16); c32 = Load(c + (3 * ldc) + 32); c33 = Load(c + (3 * ldc) + 48);
            }

            if (TRows.Value > 4)
            {
                c40 = Load(c + (4 * ldc)); c41 = Load(c + (4 * ldc) + 16); c42 = Load(c + (4 * ldc) + 32); c43 = Load(c + (4 * ldc) + 48);
            }

            if (TRows.Value > 5)
            {
                c50 = Load(c + (5 * ldc)); c51 = Load(c + (5 * ldc) + 16); c52 = Load(c + (5 * ldc) + 32); c53 = Load(c + (5 * ldc) + 48);
            }
        }

        nint k = 0;
        for (; k + 1 < depth; k += 2, a += 2 * TRows.Value, b += 2 * TPanel.BytesAK)
        {
            TPanel.Load(b, out Vector512<float> w0, out Vector512<float> w1, out Vector512<float> w2, out Vector512<float> w3);
            Vector512<float> x;
            x = Create(a[0]); c00 = FusedMultiplyAdd(x, w0, c00); c01 = FusedMultiplyAdd(x, w1, c01); c02 = FusedMultiplyAdd(x, w2, c02); c03 = FusedMultiplyAdd(x, w3, c03);
            if (TRows.Value > 1)
            {
                x = Create(a[1]); c10 = FusedMultiplyAdd(x, w0, c10); c11 = FusedMultiplyAdd(x, w1, c11); c12 = FusedMultiplyAdd(x, w2, c12); c13 = FusedMultiplyAdd(x, w3, c13);
            }

            if (TRows.Value > 2)
            {
                x = Create(a[2]); c20 = FusedMultiplyAdd(x, w0, c20); c21 = FusedMultiplyAdd(x, w1, c21); c22 = FusedMultiplyAdd(x, w2, c22); c23 = FusedMultiplyAdd(x, w3, c23);
            }

            if (TRows.Value > 3)
            {
                x = Create(a[3]); c30 = FusedMultiplyAdd(x, w0, c30); c31 = FusedMultiplyAdd(x, w1, c31); c32 = FusedMultiplyAdd(x, w2, c32); c33 = FusedMultiplyAdd(x, w3, c33);
            }

            if (TRows.Value > 4)
            {
                x = Create(a[4]); c40 = FusedMultiplyAdd(x, w0, c40); c41 = FusedMultiplyAdd(x, w1, c41); c42 = FusedMultiplyAdd(x, w2, c42); c43 = FusedMultiplyAdd(x, w3, c43);
            }

            if (TRows.Value > 5)
            {
                x = Create(a[5]); c50 = FusedMultiplyAdd(x, w0, c50); c51 = FusedMultiplyAdd(x, w1, c51); c52 = FusedMultiplyAdd(x, w2, c52); c53 = FusedMultiplyAdd(x, w3, c53);
            }

            TPanel.Load(b + TPanel.BytesAK, out w0, out w1, out w2, out w3);
            x = Create(a[TRows.Value + 0]); c00 = FusedMultiplyAdd(x, w0, c00); c01 = FusedMultiplyAdd(x, w1, c01); c02 = FusedMultiplyAdd(x, w2, c02); c03 = FusedMultiplyAdd(x, w3, c03);
            if (TRows.Value > 1)
            {
                x = Create(a[TRows.Value + 1]); c10 = FusedMultiplyAdd(x, w0, c10); c11 = FusedMultiplyAdd(x, w1, c11); c12 = FusedMultiplyAdd(x, w2, c12); c13 = FusedMultiplyAdd(x, w3, c13);
            }

            if (TRows.Value > 2)
            {
                x = Create(a[TRows.Value + 2]); c20 = FusedMultiplyAdd(x, w0, c20); c21 = FusedMultiplyAdd(x, w1, c21); c22 = FusedMultiplyAdd(x, w2, c22); c23 = FusedMultiplyAdd(x, w3, c23);
            }

            if (TRows.Value > 3)
            {
                x = Create(a[TRows.Value + 3]); c30 = FusedMultiplyAdd(x, w0, c30); c31 = FusedMultiplyAdd(x, w1, c31); c32 = FusedMultiplyAdd(x, w2, c32); c33 = FusedMultiplyAdd(x, w3, c33);
            }

            if (TRows.Value > 4)
            {
                x = Create(a[TRows.Value + 4]); c40 = FusedMultiplyAdd(x, w0, c40); c41 = FusedMultiplyAdd(x, w1, c41); c42 = FusedMultiplyAdd(x, w2, c42); c43 = FusedMultiplyAdd(x, w3, c43);
            }

            if (TRows.Value > 5)
            {
                x = Create(a[TRows.Value + 5]); c50 = FusedMultiplyAdd(x, w0, c50); c51 = FusedMultiplyAdd(x, w1, c51); c52 = FusedMultiplyAdd(x, w2, c52); c53 = FusedMultiplyAdd(x, w3, c53);
            }
        }

        if (k < depth)
        {
            TPanel.Load(b, out Vector512<float> w0, out Vector512<float> w1, out Vector512<float> w2, out Vector512<float> w3);
            Vector512<float> x;
            x = Create(a[0]); c00 = FusedMultiplyAdd(x, w0, c00); c01 = FusedMultiplyAdd(x, w1, c01); c02 = FusedMultiplyAdd(x, w2, c02); c03 = FusedMultiplyAdd(x, w3, c03);
            if (TRows.Value > 1)
            {
                x = Create(a[1]); c10 = FusedMultiplyAdd(x, w0, c10); c11 = FusedMultiplyAdd(x, w1, c11); c12 = FusedMultiplyAdd(x, w2, c12); c13 = FusedMultiplyAdd(x, w3, c13);
            }

            if (TRows.Value > 2)
            {
                x = Create(a[2]); c20 = FusedMultiplyAdd(x, w0, c20); c21 = FusedMultiplyAdd(x, w1, c21); c22 = FusedMultiplyAdd(x, w2, c22); c23 = FusedMultiplyAdd(x, w3, c23);
            }

            if (TRows.Value > 3)
            {
                x = Create(a[3]); c30 = FusedMultiplyAdd(x, w0, c30); c31 = FusedMultiplyAdd(x, w1, c31); c32 = FusedMultiplyAdd(x, w2, c32); c33 = FusedMultiplyAdd(x, w3, c33);
            }

            if (TRows.Value > 4)
            {
                x = Create(a[4]); c40 = FusedMultiplyAdd(x, w0, c40); c41 = FusedMultiplyAdd(x, w1, c41); c42 = FusedMultiplyAdd(x, w2, c42); c43 = FusedMultiplyAdd(x, w3, c43);
            }

            if (TRows.Value > 5)
            {
                x = Create(a[5]); c50 = FusedMultiplyAdd(x, w0, c50); c51 = FusedMultiplyAdd(x, w1, c51); c52 = FusedMultiplyAdd(x, w2, c52); c53 = FusedMultiplyAdd(x, w3, c53);
            }
        }

        c00.Store(c); c01.Store(c + 16); c02.Store(c + 32); c03.Store(c + 48);
        if (TRows.Value > 1)
        {
            c10.Store(c + ldc); c11.Store(c + ldc + 16); c12.Store(c + ldc + 32); c13.Store(c + ldc + 48);
        }

        if (TRows.Value > 2)
        {
            c20.Store(c + (2 * ldc)); c21.Store(c + (2 * ldc) + 16); c22.Store(c + (2 * ldc) + 32); c23.Store(c + (2 * ldc) + 48);
        }

        if (TRows.Value > 3)
        {
            c30.Store(c + (3 * ldc)); c31.Store(c + (3 * ldc) + 16); c32.Store(c + (3 * ldc) + 32); c33.Store(c + (3 * ldc) + 48);
        }

        if (TRows.Value > 4)
        {
            c40.Store(c + (4 * ldc)); c41.Store(c + (4 * ldc) + 16); c42.Store(c + (4 * ldc) + 32); c43.Store(c + (4 * ldc) + 48);
        }

        if (TRows.Value > 5)
        {
            c50.Store(c + (5 * ldc)); c51.Store(c + (5 * ldc) + 16); c52.Store(c + (5 * ldc) + 32); c53.Store(c + (5 * ldc) + 48);
        }
    }
}
