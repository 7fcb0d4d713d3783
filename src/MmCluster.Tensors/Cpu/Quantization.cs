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
    internal static Half QuantizeQ8(float* x, sbyte* values)
    {
        float largest = 0;
        for (int j = 0; j < 32; j++)
        {
            largest = MathF.Max(largest, MathF.Abs(x[j]));
        }

        float d = largest / 127;
        float inverse = d != 0 ? 1 / d : 0;
        for (int j = 0; j < 32; j++)
        {
            values[j] = (sbyte)MathF.Round(x[j] * inverse, MidpointRounding.AwayFromZero);
        }

        return (Half)d;
    }

    /// <summary>d = the value of largest magnitude / -8; values are trunc(x / d + 8.5), at most 15.</summary>
    internal static Half QuantizeQ4(float* x, byte* nibbles)
    {
        float largest = 0;
        float signed = 0;
        for (int j = 0; j < 32; j++)
        {
            if (MathF.Abs(x[j]) > largest)
            {
                largest = MathF.Abs(x[j]);
                signed = x[j];
            }
        }

        float d = signed / -8;
        float inverse = d != 0 ? 1 / d : 0;
        for (int j = 0; j < 16; j++)
        {
            int low = Math.Min(15, (int)((x[j] * inverse) + 8.5f));
            int high = Math.Min(15, (int)((x[j + 16] * inverse) + 8.5f));
            nibbles[j] = (byte)(low | (high << 4));
        }

        return (Half)d;
    }
}
