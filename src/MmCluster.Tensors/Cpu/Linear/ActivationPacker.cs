using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu.Linear;

/// <summary>Rows of activations in the order the tiles read them: groups of up to 6 rows, interleaved by k.</summary>
internal static unsafe class ActivationPacker
{
    internal const int TileRows = 6;
    private const float Smallest = 1e-30f; // below it 32767 / x overflows; such a block counts as zeros

    /// <summary>[rows][depth] floats, rows <paramref name="step"/> apart, to [depth][rows].</summary>
    internal static void Interleave(float* x, long step, int rows, int depth, float* to)
    {
        int row = 0;
        for (; row + 4 <= rows; row += 4)
        {
            Interleave4(x + (row * step), step, rows, depth, to + row);
        }

        for (; row < rows; row++)
        {
            float* from = x + (row * step);
            for (int k = 0; k < depth; k++)
            {
                to[((long)k * rows) + row] = from[k];
            }
        }
    }

    /// <summary>
    /// One row in blocks of 32 as 16-bit integers: scale = amax / 32767, values to the nearest. Block b's pairs go to
    /// <paramref name="pairs"/> + (16 b + j) * rows, its scale and 8 times its sum to [b * rows]. The row ends in zeros up to whole blocks.
    /// </summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static void Quantize(float* x, int depth, int rows, int* pairs, float* scales, int* sums)
    {
        short* values = stackalloc short[DTypes.BlockLength];
        float* tail = stackalloc float[DTypes.BlockLength];
        for (int k = 0; k < depth; k += DTypes.BlockLength, pairs += 16 * rows, scales += rows, sums += rows)
        {
            float* from = x + k;
            if (depth - k < DTypes.BlockLength)
            {
                new Span<float>(tail, DTypes.BlockLength).Clear();
                Unsafe.CopyBlock(tail, from, (uint)(depth - k) * sizeof(float));
                from = tail;
            }

            if (rows == 1)
            {
                *sums = 8 * QuantizeBlock(from, (short*)pairs, out *scales);
                continue;
            }

            *sums = 8 * QuantizeBlock(from, values, out *scales);
            for (int j = 0; j < 16; j++)
            {
                pairs[(long)j * rows] = ((int*)values)[j];
            }
        }
    }

    private static int QuantizeBlock(float* x, short* values, out float scale)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            Vector512<float> low = Vector512.Load(x);
            Vector512<float> high = Vector512.Load(x + 16);
            float top = new Vec512(Vector512.Max(Vector512.Abs(low), Vector512.Abs(high))).MaxAcross();
            scale = top / 32767f;
            Vector512<float> factor = Vector512.Create(top > Smallest ? 32767f / top : 0);
            Vector512<int> lowValues = Vector512.ConvertToInt32Native(Vector512.Round(low * factor));
            Vector512<int> highValues = Vector512.ConvertToInt32Native(Vector512.Round(high * factor));
            Vector512.Narrow(lowValues, highValues).Store(values);
            return Vector512.Sum(lowValues + highValues);
        }

        float largest = 0;
        for (int i = 0; i < DTypes.BlockLength; i++)
        {
            largest = MathF.Max(largest, MathF.Abs(x[i]));
        }

        scale = largest / 32767f;
        float inverse = largest > Smallest ? 32767f / largest : 0;
        int sum = 0;
        for (int i = 0; i < DTypes.BlockLength; i++)
        {
            values[i] = (short)MathF.Round(x[i] * inverse);
            sum += values[i];
        }

        return sum;
    }

    [MethodImpl(CpuBackend.Kernel)]
    private static void Interleave4(float* x, long step, int rows, int depth, float* to)
    {
        int k = 0;
        for (; k + 4 <= depth; k += 4)
        {
            Transpose.Four(x + k, x + step + k, x + (2 * step) + k, x + (3 * step) + k, to + ((long)k * rows), rows);
        }

        for (; k < depth; k++)
        {
            for (int row = 0; row < 4; row++)
            {
                to[((long)k * rows) + row] = x[(row * step) + k];
            }
        }
    }
}
