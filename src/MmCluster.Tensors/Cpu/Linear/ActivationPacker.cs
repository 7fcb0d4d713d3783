using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

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
            float top = new Simd.Vec512(Vector512.Max(Vector512.Abs(low), Vector512.Abs(high))).MaxAcross();
            scale = top / 32767f;
            Vector512<float> factor = Vector512.Create(top > Smallest ? 32767f / top : 0);
            Vector512<int> lowValues = Vector512.ConvertToInt32(Vector512.Round(low * factor));
            Vector512<int> highValues = Vector512.ConvertToInt32(Vector512.Round(high * factor));
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

    /// <summary>Four values of four rows, times a factor, to four columns <paramref name="step"/> apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Transpose4(float* a, float* b, float* c, float* d, Vector128<float> factor, float* to, int step)
    {
        Vector128<float> r0 = Vector128.Load(a) * factor, r1 = Vector128.Load(b) * factor, r2 = Vector128.Load(c) * factor, r3 = Vector128.Load(d) * factor;
        Vector128<float> t0 = UnpackLow(r0, r1), t1 = UnpackHigh(r0, r1), t2 = UnpackLow(r2, r3), t3 = UnpackHigh(r2, r3);
        Lower(t0, t2).Store(to);
        Upper(t0, t2).Store(to + step);
        Lower(t1, t3).Store(to + (2 * step));
        Upper(t1, t3).Store(to + (3 * step));
    }

    private static void Interleave4(float* x, long step, int rows, int depth, float* to)
    {
        Vector128<float> one = Vector128<float>.One;
        int k = 0;
        for (; k + 4 <= depth; k += 4)
        {
            Transpose4(x + k, x + step + k, x + (2 * step) + k, x + (3 * step) + k, one, to + ((long)k * rows), rows);
        }

        for (; k < depth; k++)
        {
            for (int row = 0; row < 4; row++)
            {
                to[((long)k * rows) + row] = x[(row * step) + k];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> UnpackLow(Vector128<float> a, Vector128<float> b) => Sse.IsSupported
        ? Sse.UnpackLow(a, b)
        : Vector128.Create(a[0], b[0], a[1], b[1]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> UnpackHigh(Vector128<float> a, Vector128<float> b) => Sse.IsSupported
        ? Sse.UnpackHigh(a, b)
        : Vector128.Create(a[2], b[2], a[3], b[3]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Lower(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.MoveLowToHigh(a, b) : Vector128.Create(a.GetLower(), b.GetLower());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Upper(Vector128<float> a, Vector128<float> b) =>
        Sse.IsSupported ? Sse.MoveHighToLow(b, a) : Vector128.Create(a.GetUpper(), b.GetUpper());
}
