using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MmCluster.Tensors.Cpu.Linear;

/// <summary>
/// Q8_0 and Q4_0 tiles with AVX2: 3 rows and 16 columns at a time over the same panels; bit-equal to the wider and the portable ones, because the sums
/// of a block are exact integers.
/// </summary>
internal readonly unsafe struct QuantTiles256<TFormat> : IQuantTiles where TFormat : struct, IQuantFormat
{
    public static int BlockBytes => TFormat.PanelBytes;

    public static void Tile(int rows, int* a, float* sa, int* sums, byte* b, float* c, nint ldc, nint blocks, bool accumulate)
    {
        for (int column = 0; column < QuantPanels.Columns; column += 16)
        {
            for (int row = 0; row < rows; row += 3)
            {
                float* to = c + (row * ldc) + column;
                switch (rows - row)
                {
                    case 1: Some<Rows1>(a + row, sa + row, sums + row, rows, b, column, to, ldc, blocks, accumulate); break;
                    case 2: Some<Rows2>(a + row, sa + row, sums + row, rows, b, column, to, ldc, blocks, accumulate); break;
                    default: Some<Rows3>(a + row, sa + row, sums + row, rows, b, column, to, ldc, blocks, accumulate); break;
                }
            }
        }
    }

    [MethodImpl(CpuBackend.Kernel)]
    private static void Some<TRows>(
        int* a, float* sa, int* sums, nint step, byte* b, int column, float* c, nint ldc, nint blocks, bool accumulate)
        where TRows : struct, IRows
    {
        Vector256<float> f0 = default, g0 = default, f1 = default, g1 = default, f2 = default, g2 = default;
        if (accumulate)
        {
            f0 = Vector256.Load(c); g0 = Vector256.Load(c + 8);
            if (TRows.Value > 1)
            {
                f1 = Vector256.Load(c + ldc); g1 = Vector256.Load(c + ldc + 8);
            }

            if (TRows.Value > 2)
            {
                f2 = Vector256.Load(c + (2 * ldc)); g2 = Vector256.Load(c + (2 * ldc) + 8);
            }
        }

        for (nint block = 0; block < blocks; block++, sa += step, sums += step, b += BlockBytes)
        {
            Vector256<int> s0 = default, t0 = default, s1 = default, t1 = default, s2 = default, t2 = default;
            byte* q = b + QuantPanels.ScaleBytes + (2 * column);
            Vector256<short> x;
            if (TFormat.HasOffset)
            {
                Vector256<short> nibble = Vector256.Create((short)15);
                for (int group = 0; group < 8; group++, q += 64, a += step)
                {
                    int* upper = a + (8 * step);
                    Vector256<short> both = Avx2.ConvertToVector256Int16(q), bothNext = Avx2.ConvertToVector256Int16(q + 16);
                    Vector256<short> w = both & nibble, v = bothNext & nibble;
                    x = Vector256.Create(a[0]).AsInt16(); s0 += Avx2.MultiplyAddAdjacent(x, w); t0 += Avx2.MultiplyAddAdjacent(x, v);
                    if (TRows.Value > 1)
                    {
                        x = Vector256.Create(a[1]).AsInt16(); s1 += Avx2.MultiplyAddAdjacent(x, w); t1 += Avx2.MultiplyAddAdjacent(x, v);
                    }

                    if (TRows.Value > 2)
                    {
                        x = Vector256.Create(a[2]).AsInt16(); s2 += Avx2.MultiplyAddAdjacent(x, w); t2 += Avx2.MultiplyAddAdjacent(x, v);
                    }

                    w = both >>> 4;
                    v = bothNext >>> 4;
                    x = Vector256.Create(upper[0]).AsInt16(); s0 += Avx2.MultiplyAddAdjacent(x, w); t0 += Avx2.MultiplyAddAdjacent(x, v);
                    if (TRows.Value > 1)
                    {
                        x = Vector256.Create(upper[1]).AsInt16(); s1 += Avx2.MultiplyAddAdjacent(x, w); t1 += Avx2.MultiplyAddAdjacent(x, v);
                    }

                    if (TRows.Value > 2)
                    {
                        x = Vector256.Create(upper[2]).AsInt16(); s2 += Avx2.MultiplyAddAdjacent(x, w); t2 += Avx2.MultiplyAddAdjacent(x, v);
                    }
                }

                a += 8 * step;
            }
            else
            {
                for (int pair = 0; pair < 16; pair++, q += 64, a += step)
                {
                    Vector256<short> w = Avx2.ConvertToVector256Int16((sbyte*)q), v = Avx2.ConvertToVector256Int16((sbyte*)q + 16);
                    x = Vector256.Create(a[0]).AsInt16(); s0 += Avx2.MultiplyAddAdjacent(x, w); t0 += Avx2.MultiplyAddAdjacent(x, v);
                    if (TRows.Value > 1)
                    {
                        x = Vector256.Create(a[1]).AsInt16(); s1 += Avx2.MultiplyAddAdjacent(x, w); t1 += Avx2.MultiplyAddAdjacent(x, v);
                    }

                    if (TRows.Value > 2)
                    {
                        x = Vector256.Create(a[2]).AsInt16(); s2 += Avx2.MultiplyAddAdjacent(x, w); t2 += Avx2.MultiplyAddAdjacent(x, v);
                    }
                }
            }

            Vector256<float> d = Scales8(b + (2 * column)), e = Scales8(b + (2 * column) + 16), scale;
            Vector256<int> offset;
            scale = Vector256.Create(sa[0]); offset = TFormat.HasOffset ? Vector256.Create(sums[0]) : default; f0 = Fma.MultiplyAdd(Vector256.ConvertToSingle(s0 - offset), scale * d, f0); g0 = Fma.MultiplyAdd(Vector256.ConvertToSingle(t0 - offset), scale * e, g0);
            if (TRows.Value > 1)
            {
                scale = Vector256.Create(sa[1]); offset = TFormat.HasOffset ? Vector256.Create(sums[1]) : default; f1 = Fma.MultiplyAdd(Vector256.ConvertToSingle(s1 - offset), scale * d, f1); g1 = Fma.MultiplyAdd(Vector256.ConvertToSingle(t1 - offset), scale * e, g1);
            }

            if (TRows.Value > 2)
            {
                scale = Vector256.Create(sa[2]); offset = TFormat.HasOffset ? Vector256.Create(sums[2]) : default; f2 = Fma.MultiplyAdd(Vector256.ConvertToSingle(s2 - offset), scale * d, f2); g2 = Fma.MultiplyAdd(Vector256.ConvertToSingle(t2 - offset), scale * e, g2);
            }
        }

        f0.Store(c); g0.Store(c + 8);
        if (TRows.Value > 1)
        {
            f1.Store(c + ldc); g1.Store(c + ldc + 8);
        }

        if (TRows.Value > 2)
        {
            f2.Store(c + (2 * ldc)); g2.Store(c + (2 * ldc) + 8);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Scales8(byte* p)
    {
        Vector256<int> bits = Avx2.ConvertToVector256Int32((short*)p) << 13;
        return (bits & Vector256.Create(unchecked((int)0x8fffe000))).AsSingle() * Vector256.Create(5.192296858534828e33f); // 2^112
    }
}
