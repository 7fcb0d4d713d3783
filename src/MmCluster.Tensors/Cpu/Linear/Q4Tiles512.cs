using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using static System.Runtime.Intrinsics.Vector512;

namespace MmCluster.Tensors.Cpu.Linear;

/// <summary>
/// C[rows x 32] (+)= A W with Q4_0 panels and 16-bit activations, AVX-512: exact integer sums a block, then one fused multiply-add a block, in order;
/// values are nibbles with an offset of 8, which the sum of the activations takes off again.
/// </summary>
internal readonly unsafe struct Q4Tiles512 : IQuantTiles
{
    public static int BlockBytes => QuantPanels.Q4Bytes;

    public static void Tile(int rows, int* a, float* sa, int* sums, byte* b, float* c, nint ldc, nint blocks, bool accumulate)
    {
        switch (rows)
        {
            case 1: Many<Rows1>(a, sa, sums, b, c, ldc, blocks, accumulate); break;
            case 2: Many<Rows2>(a, sa, sums, b, c, ldc, blocks, accumulate); break;
            case 3: Many<Rows3>(a, sa, sums, b, c, ldc, blocks, accumulate); break;
            case 4: Many<Rows4>(a, sa, sums, b, c, ldc, blocks, accumulate); break;
            case 5: Many<Rows5>(a, sa, sums, b, c, ldc, blocks, accumulate); break;
            default: Many<Rows6>(a, sa, sums, b, c, ldc, blocks, accumulate); break;
        }
    }

    [MethodImpl(CpuBackend.Kernel)]
    private static void Many<TRows>(int* a, float* sa, int* sums, byte* b, float* c, nint ldc, nint blocks, bool accumulate)
        where TRows : struct, IRows
    {
        Vector512<short> nibble = Create((short)15);
        Vector512<float> zero = Vector512<float>.Zero;
        Vector512<float> f0 = zero, g0 = zero;
        Vector512<float> f1 = zero, g1 = zero;
        Vector512<float> f2 = zero, g2 = zero;
        Vector512<float> f3 = zero, g3 = zero;
        Vector512<float> f4 = zero, g4 = zero;
        Vector512<float> f5 = zero, g5 = zero;
        if (accumulate)
        {
            f0 = Load(c); g0 = Load(c + 16);
            if (TRows.Value > 1)
            {
                f1 = Load(c + ldc); g1 = Load(c + ldc + 16);
            }

            if (TRows.Value > 2)
            {
                f2 = Load(c + (2 * ldc)); g2 = Load(c + (2 * ldc) + 16);
            }

            if (TRows.Value > 3)
            {
                f3 = Load(c + (3 * ldc)); g3 = Load(c + (3 * ldc) + 16);
            }

            if (TRows.Value > 4)
            {
                f4 = Load(c + (4 * ldc)); g4 = Load(c + (4 * ldc) + 16);
            }

            if (TRows.Value > 5)
            {
                f5 = Load(c + (5 * ldc)); g5 = Load(c + (5 * ldc) + 16);
            }
        }

        for (nint block = 0; block < blocks; block++, sa += TRows.Value, sums += TRows.Value, b += BlockBytes)
        {
            Vector512<int> none = Vector512<int>.Zero;
            Vector512<int> s0 = none, t0 = none;
            Vector512<int> s1 = none, t1 = none;
            Vector512<int> s2 = none, t2 = none;
            Vector512<int> s3 = none, t3 = none;
            Vector512<int> s4 = none, t4 = none;
            Vector512<int> s5 = none, t5 = none;
            byte* q = b + QuantPanels.ScaleBytes;
            for (int group = 0; group < 8; group++, q += 64, a += TRows.Value)
            {
                if (TRows.Value == 1)
                {
                    Sse.Prefetch0(q + QuantPanels.Ahead);
                }

                Vector512<short> both = Avx512BW.ConvertToVector512Int16(Vector256.Load(q));
                Vector512<short> bothNext = Avx512BW.ConvertToVector512Int16(Vector256.Load(q + 32));
                Vector512<short> w = both & nibble, v = bothNext & nibble, x;
                x = Create(a[0]).AsInt16(); s0 += Avx512BW.MultiplyAddAdjacent(x, w); t0 += Avx512BW.MultiplyAddAdjacent(x, v);
                if (TRows.Value > 1)
                {
                    x = Create(a[1]).AsInt16(); s1 += Avx512BW.MultiplyAddAdjacent(x, w); t1 += Avx512BW.MultiplyAddAdjacent(x, v);
                }

                if (TRows.Value > 2)
                {
                    x = Create(a[2]).AsInt16(); s2 += Avx512BW.MultiplyAddAdjacent(x, w); t2 += Avx512BW.MultiplyAddAdjacent(x, v);
                }

                if (TRows.Value > 3)
                {
                    x = Create(a[3]).AsInt16(); s3 += Avx512BW.MultiplyAddAdjacent(x, w); t3 += Avx512BW.MultiplyAddAdjacent(x, v);
                }

                if (TRows.Value > 4)
                {
                    x = Create(a[4]).AsInt16(); s4 += Avx512BW.MultiplyAddAdjacent(x, w); t4 += Avx512BW.MultiplyAddAdjacent(x, v);
                }

                if (TRows.Value > 5)
                {
                    x = Create(a[5]).AsInt16(); s5 += Avx512BW.MultiplyAddAdjacent(x, w); t5 += Avx512BW.MultiplyAddAdjacent(x, v);
                }

                w = both >>> 4;
                v = bothNext >>> 4;
                x = Create(a[(8 * TRows.Value) + 0]).AsInt16(); s0 += Avx512BW.MultiplyAddAdjacent(x, w); t0 += Avx512BW.MultiplyAddAdjacent(x, v);
                if (TRows.Value > 1)
                {
                    x = Create(a[(8 * TRows.Value) + 1]).AsInt16(); s1 += Avx512BW.MultiplyAddAdjacent(x, w); t1 += Avx512BW.MultiplyAddAdjacent(x, v);
                }

                if (TRows.Value > 2)
                {
                    x = Create(a[(8 * TRows.Value) + 2]).AsInt16(); s2 += Avx512BW.MultiplyAddAdjacent(x, w); t2 += Avx512BW.MultiplyAddAdjacent(x, v);
                }

                if (TRows.Value > 3)
                {
                    x = Create(a[(8 * TRows.Value) + 3]).AsInt16(); s3 += Avx512BW.MultiplyAddAdjacent(x, w); t3 += Avx512BW.MultiplyAddAdjacent(x, v);
                }

                if (TRows.Value > 4)
                {
                    x = Create(a[(8 * TRows.Value) + 4]).AsInt16(); s4 += Avx512BW.MultiplyAddAdjacent(x, w); t4 += Avx512BW.MultiplyAddAdjacent(x, v);
                }

                if (TRows.Value > 5)
                {
                    x = Create(a[(8 * TRows.Value) + 5]).AsInt16(); s5 += Avx512BW.MultiplyAddAdjacent(x, w); t5 += Avx512BW.MultiplyAddAdjacent(x, v);
                }
            }

            a += 8 * TRows.Value;

            Vector512<float> d = QuantPanels.Scales16(b), e = QuantPanels.Scales16(b + 32), scale;
            Vector512<int> offset;
            scale = Create(sa[0]); offset = Create(sums[0]); f0 = FusedMultiplyAdd(ConvertToSingle(s0 - offset), scale * d, f0); g0 = FusedMultiplyAdd(ConvertToSingle(t0 - offset), scale * e, g0);
            if (TRows.Value > 1)
            {
                scale = Create(sa[1]); offset = Create(sums[1]); f1 = FusedMultiplyAdd(ConvertToSingle(s1 - offset), scale * d, f1); g1 = FusedMultiplyAdd(ConvertToSingle(t1 - offset), scale * e, g1);
            }

            if (TRows.Value > 2)
            {
                scale = Create(sa[2]); offset = Create(sums[2]); f2 = FusedMultiplyAdd(ConvertToSingle(s2 - offset), scale * d, f2); g2 = FusedMultiplyAdd(ConvertToSingle(t2 - offset), scale * e, g2);
            }

            if (TRows.Value > 3)
            {
                scale = Create(sa[3]); offset = Create(sums[3]); f3 = FusedMultiplyAdd(ConvertToSingle(s3 - offset), scale * d, f3); g3 = FusedMultiplyAdd(ConvertToSingle(t3 - offset), scale * e, g3);
            }

            if (TRows.Value > 4)
            {
                scale = Create(sa[4]); offset = Create(sums[4]); f4 = FusedMultiplyAdd(ConvertToSingle(s4 - offset), scale * d, f4); g4 = FusedMultiplyAdd(ConvertToSingle(t4 - offset), scale * e, g4);
            }

            if (TRows.Value > 5)
            {
                scale = Create(sa[5]); offset = Create(sums[5]); f5 = FusedMultiplyAdd(ConvertToSingle(s5 - offset), scale * d, f5); g5 = FusedMultiplyAdd(ConvertToSingle(t5 - offset), scale * e, g5);
            }
        }

        f0.Store(c); g0.Store(c + 16);
        if (TRows.Value > 1)
        {
            f1.Store(c + ldc); g1.Store(c + ldc + 16);
        }

        if (TRows.Value > 2)
        {
            f2.Store(c + (2 * ldc)); g2.Store(c + (2 * ldc) + 16);
        }

        if (TRows.Value > 3)
        {
            f3.Store(c + (3 * ldc)); g3.Store(c + (3 * ldc) + 16);
        }

        if (TRows.Value > 4)
        {
            f4.Store(c + (4 * ldc)); g4.Store(c + (4 * ldc) + 16);
        }

        if (TRows.Value > 5)
        {
            f5.Store(c + (5 * ldc)); g5.Store(c + (5 * ldc) + 16);
        }
    }
}
