using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MmCluster.Tensors.Cpu.Simd;

namespace MmCluster.Tensors.Cpu;

/// <summary>
/// GGUF's block formats, rounded as ggml's reference does (ggml-quants.c, quantize_row_q8_0_ref and quantize_row_q4_0_ref), so that equal
/// sources give equal bytes. Q8_0: F16 d, 32 int8. Q4_0: F16 d, 16 bytes with value j in the low and j + 16 in the high nibble.
/// </summary>
internal static unsafe class Quantization
{
    /// <summary>One row of <paramref name="n"/> values, a multiple of 32, into blocks.</summary>
    internal static void Quantize(DType dtype, float* source, byte* blocks, int n)
    {
        for (int i = 0; i < n; i += DTypes.BlockLength)
        {
            if (dtype == DType.Q8_0)
            {
                *(Half*)blocks = QuantizeQ8(source + i, (sbyte*)blocks + 2);
                blocks += 34;
            }
            else
            {
                *(Half*)blocks = QuantizeQ4(source + i, blocks + 2);
                blocks += 18;
            }
        }
    }

    /// <summary>Blocks back to <paramref name="n"/> values.</summary>
    internal static void Dequantize(DType dtype, byte* blocks, float* destination, int n)
    {
        for (int i = 0; i < n; i += DTypes.BlockLength, destination += DTypes.BlockLength)
        {
            float scale = (float)*(Half*)blocks;
            blocks += 2;
            if (dtype == DType.Q8_0)
            {
                for (int j = 0; j < 32; j++)
                {
                    destination[j] = (sbyte)blocks[j] * scale;
                }

                blocks += 32;
            }
            else
            {
                for (int j = 0; j < 16; j++)
                {
                    destination[j] = ((blocks[j] & 15) - 8) * scale;
                    destination[j + 16] = ((blocks[j] >> 4) - 8) * scale;
                }

                blocks += 16;
            }
        }
    }

    /// <summary>d = amax / 127; values round half away from zero.</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static Half QuantizeQ8(float* x, sbyte* values)
    {
        float d = LargestMagnitude(x) / 127;
        Vector256<float> inverse = Vector256.Create(d != 0 ? 1 / d : 0);
        Vector256<int> a = RoundAway(Vector256.Load(x) * inverse), b = RoundAway(Vector256.Load(x + 8) * inverse);
        Vector256<int> c = RoundAway(Vector256.Load(x + 16) * inverse), e = RoundAway(Vector256.Load(x + 24) * inverse);
        Vector256.Narrow(Vector256.Narrow(a, b), Vector256.Narrow(c, e)).Store(values);
        return (Half)d;
    }

    /// <summary>d = the value of largest magnitude (the first of equals) / -8; values are trunc(x / d + 8.5), at most 15.</summary>
    [MethodImpl(CpuBackend.Kernel)]
    internal static Half QuantizeQ4(float* x, byte* nibbles)
    {
        float d = First(x, LargestMagnitude(x)) / -8;
        Vector256<float> inverse = Vector256.Create(d != 0 ? 1 / d : 0);
        Vector256<int> a = Nibbles(x, inverse) | (Nibbles(x + 16, inverse) << 4);
        Vector256<int> b = Nibbles(x + 8, inverse) | (Nibbles(x + 24, inverse) << 4);
        Vector256<ushort> pairs = Vector256.Narrow(a, b).AsUInt16();
        Vector128.Narrow(pairs.GetLower(), pairs.GetUpper()).Store(nibbles);
        return (Half)d;
    }

    private static Vector256<int> Nibbles(float* x, Vector256<float> inverse) =>
        Vector256.Min(Vector256.Create(15), Vector256.ConvertToInt32Native((Vector256.Load(x) * inverse) + Vector256.Create(8.5f)));

    private static float LargestMagnitude(float* x)
    {
        Vector256<float> low = Vector256.Max(Vector256.Abs(Vector256.Load(x)), Vector256.Abs(Vector256.Load(x + 8)));
        Vector256<float> high = Vector256.Max(Vector256.Abs(Vector256.Load(x + 16)), Vector256.Abs(Vector256.Load(x + 24)));
        Vector256<float> both = Vector256.Max(low, high);
        return new Vec128(Vector128.Max(both.GetLower(), both.GetUpper())).MaxAcross();
    }

    // The first value of that magnitude.
    private static float First(float* x, float magnitude)
    {
        Vector256<float> wanted = Vector256.Create(magnitude);
        for (int i = 0; i < DTypes.BlockLength; i += 8)
        {
            uint equal = Vector256.Equals(Vector256.Abs(Vector256.Load(x + i)), wanted).ExtractMostSignificantBits();
            if (equal != 0)
            {
                return x[i + BitOperations.TrailingZeroCount(equal)];
            }
        }

        return 0; // NaN
    }

    private static Vector256<int> RoundAway(Vector256<float> x)
    {
        Vector256<float> whole = Vector256.Truncate(x);
        Vector256<float> one = Vector256.ConditionalSelect(Vector256.Create(-0f), x, Vector256<float>.One);
        Vector256<float> up = Vector256.GreaterThanOrEqual(Vector256.Abs(x - whole), Vector256.Create(0.5f));
        return Vector256.ConvertToInt32Native(whole + (up & one));
    }
}
