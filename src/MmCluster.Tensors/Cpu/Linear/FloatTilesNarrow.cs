using System.Runtime.CompilerServices;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu.Linear;

/// <summary>
/// The tiles of <see cref="FloatTiles512{TPanel}"/> for narrower vectors, over the same panels: two vectors of columns at a time, 16 columns apart
/// as BF16 pairs are; one row takes eight vectors to hide the latency of its few chains.
/// </summary>
internal readonly unsafe struct FloatTilesNarrow<TPanel, T> : IFloatTiles
    where TPanel : struct, IFloatPanel
    where T : struct, IVec<T>
{
    public static int BytesAK => TPanel.BytesAK;

    public static void Tile(int rows, float* a, byte* b, float* c, nint ldc, nint depth, bool accumulate)
    {
        for (int group = 0; group < 64; group += 32)
        {
            for (int column = 0; column < 16; column += rows == 1 ? 2 * T.Count : T.Count)
            {
                byte* w = b + TPanel.PairOffset(group, column);
                float* to = c + group + column;
                switch (rows)
                {
                    case 1: One(a, w, to, depth, accumulate); break;
                    case 2: Many<Rows2>(a, w, to, ldc, depth, accumulate); break;
                    case 3: Many<Rows3>(a, w, to, ldc, depth, accumulate); break;
                    case 4: Many<Rows4>(a, w, to, ldc, depth, accumulate); break;
                    case 5: Many<Rows5>(a, w, to, ldc, depth, accumulate); break;
                    default: Many<Rows6>(a, w, to, ldc, depth, accumulate); break;
                }
            }
        }
    }

    [MethodImpl(CpuBackend.Kernel)]
    private static void One(float* a, byte* b, float* c, nint depth, bool accumulate)
    {
        T c0 = T.Zero, c1 = T.Zero, c2 = T.Zero, c3 = T.Zero;
        if (accumulate)
        {
            c0 = T.Load(c); c1 = T.Load(c + T.Count); c2 = T.Load(c + 16); c3 = T.Load(c + 16 + T.Count);
        }

        for (nint k = 0; k < depth; k++, b += TPanel.BytesAK)
        {
            TPanel.LoadPair(b, out T low, out T high);
            TPanel.LoadPair(b + TPanel.PairOffset(0, T.Count), out T nextLow, out T nextHigh);
            T x = T.Splat(a[k]);
            c0 = T.Fma(x, low, c0); c1 = T.Fma(x, nextLow, c1); c2 = T.Fma(x, high, c2); c3 = T.Fma(x, nextHigh, c3);
        }

        c0.Store(c); c1.Store(c + T.Count); c2.Store(c + 16); c3.Store(c + 16 + T.Count);
    }

    [MethodImpl(CpuBackend.Kernel)]
    private static void Many<TRows>(float* a, byte* b, float* c, nint ldc, nint depth, bool accumulate) where TRows : struct, IRows
    {
        T c00 = T.Zero, c01 = T.Zero;
        T c10 = T.Zero, c11 = T.Zero;
        T c20 = T.Zero, c21 = T.Zero;
        T c30 = T.Zero, c31 = T.Zero;
        T c40 = T.Zero, c41 = T.Zero;
        T c50 = T.Zero, c51 = T.Zero;
        if (accumulate)
        {
            c00 = T.Load(c); c01 = T.Load(c + 16);
            if (TRows.Value > 1)
            {
                c10 = T.Load(c + ldc); c11 = T.Load(c + ldc + 16);
            }

            if (TRows.Value > 2)
            {
                c20 = T.Load(c + (2 * ldc)); c21 = T.Load(c + (2 * ldc) + 16);
            }

            if (TRows.Value > 3)
            {
                c30 = T.Load(c + (3 * ldc)); c31 = T.Load(c + (3 * ldc) + 16);
            }

            if (TRows.Value > 4)
            {
                c40 = T.Load(c + (4 * ldc)); c41 = T.Load(c + (4 * ldc) + 16);
            }

            if (TRows.Value > 5)
            {
                c50 = T.Load(c + (5 * ldc)); c51 = T.Load(c + (5 * ldc) + 16);
            }
        }

        for (nint k = 0; k < depth; k++, a += TRows.Value, b += TPanel.BytesAK)
        {
            TPanel.LoadPair(b, out T low, out T high);
            T x;
            x = T.Splat(a[0]); c00 = T.Fma(x, low, c00); c01 = T.Fma(x, high, c01);
            if (TRows.Value > 1)
            {
                x = T.Splat(a[1]); c10 = T.Fma(x, low, c10); c11 = T.Fma(x, high, c11);
            }

            if (TRows.Value > 2)
            {
                x = T.Splat(a[2]); c20 = T.Fma(x, low, c20); c21 = T.Fma(x, high, c21);
            }

            if (TRows.Value > 3)
            {
                x = T.Splat(a[3]); c30 = T.Fma(x, low, c30); c31 = T.Fma(x, high, c31);
            }

            if (TRows.Value > 4)
            {
                x = T.Splat(a[4]); c40 = T.Fma(x, low, c40); c41 = T.Fma(x, high, c41);
            }

            if (TRows.Value > 5)
            {
                x = T.Splat(a[5]); c50 = T.Fma(x, low, c50); c51 = T.Fma(x, high, c51);
            }
        }

        c00.Store(c); c01.Store(c + 16);
        if (TRows.Value > 1)
        {
            c10.Store(c + ldc); c11.Store(c + ldc + 16);
        }

        if (TRows.Value > 2)
        {
            c20.Store(c + (2 * ldc)); c21.Store(c + (2 * ldc) + 16);
        }

        if (TRows.Value > 3)
        {
            c30.Store(c + (3 * ldc)); c31.Store(c + (3 * ldc) + 16);
        }

        if (TRows.Value > 4)
        {
            c40.Store(c + (4 * ldc)); c41.Store(c + (4 * ldc) + 16);
        }

        if (TRows.Value > 5)
        {
            c50.Store(c + (5 * ldc)); c51.Store(c + (5 * ldc) + 16);
        }
    }
}
