using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu.Linear;

/// <summary>BF16 rows to a BF16 panel without a detour through F32: the common case of loading a checkpoint.</summary>
internal static unsafe class Bf16Panels
{
    /// <summary>
    /// Fills a panel of 64 columns from 64 rows. For each k: two halves of 16 dwords, dword c holding row c in its low and row c + 16 in its high bits.
    /// </summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static void Fill(ushort** rows, int columns, byte* panel)
    {
        uint* pairs = stackalloc uint[16 * 16]; // [row pair][k]
        int k = 0;
        for (; k + 16 <= columns; k += 16)
        {
            for (int half = 0; half < 2; half++)
            {
                ushort** low = rows + (half * 32);
                for (int c = 0; c < 16; c++)
                {
                    (Vector256<uint> low0, Vector256<uint> low1) = Vector256.Widen(Vector256.Load(low[c] + k));
                    (Vector256<uint> high0, Vector256<uint> high1) = Vector256.Widen(Vector256.Load(low[c + 16] + k));
                    (low0 | (high0 << 16)).Store(pairs + (c * 16));
                    (low1 | (high1 << 16)).Store(pairs + (c * 16) + 8);
                }

                float* to = (float*)panel + ((long)k * 32) + (half * 16); // bits only: nothing is computed with them
                var from = (float*)pairs;
                for (int c = 0; c < 16; c += 4)
                {
                    for (int i = 0; i < 16; i += 4)
                    {
                        float* first = from + (c * 16) + i;
                        Transpose.Four(first, first + 16, first + 32, first + 48, to + (i * 32) + c, 32);
                    }
                }
            }
        }

        for (; k < columns; k++)
        {
            ushort* to = (ushort*)panel + ((long)k * 64);
            for (int row = 0; row < 64; row++)
            {
                to[(row / 32 * 32) + (row % 16 * 2) + (row % 32 / 16)] = rows[row][k];
            }
        }
    }

    /// <summary>Rounds [depth][64] floats into a panel.</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static void Round(float* x, int depth, byte* panel)
    {
        uint* to = (uint*)panel;
        for (int k = 0; k < depth; k++, x += 64, to += 32)
        {
            for (int c = 0; c < 16; c += 4)
            {
                (HalfKernels.RoundBF16(Vector128.Load(x + c)) | (HalfKernels.RoundBF16(Vector128.Load(x + c + 16)) << 16)).Store(to + c);
                (HalfKernels.RoundBF16(Vector128.Load(x + c + 32)) | (HalfKernels.RoundBF16(Vector128.Load(x + c + 48)) << 16)).Store(to + c + 16);
            }
        }
    }
}
