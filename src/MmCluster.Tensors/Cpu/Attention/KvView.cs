namespace MmCluster.Tensors.Cpu.Attention;

/// <summary>
/// Blocks of 16 positions of keys and values: [block][kv head], there [d][16] keys, then [16][value step] values, whose rows are filled to a
/// multiple of 16; with Q8_0 then 16 scales of keys and 16 of values, F32.
/// </summary>
internal unsafe struct KvView
{
    internal byte* Data;
    internal DType DType;
    internal int Heads;
    internal int KeyDim;
    internal int ValueDim;

    internal KvView(PagedKv kv)
    {
        Data = kv.Data;
        DType = kv.DType;
        Heads = kv.KvHeads;
        KeyDim = kv.HeadDim;
        ValueDim = kv.HeadDim;
    }

    internal readonly int ValueStep => (ValueDim + 15) & ~15;

    private readonly int ElementBytes => DType switch { DType.F32 => KvF32.Size, DType.BF16 => KvBF16.Size, _ => KvQ8.Size };

    /// <summary>Bytes of a head's keys.</summary>
    internal readonly long KeyBytes => (long)KeyDim * PagedKv.BlockSize * ElementBytes;

    /// <summary>Bytes of a head's values.</summary>
    internal readonly long ValueBytes => (long)ValueStep * PagedKv.BlockSize * ElementBytes;

    internal readonly long HeadBytes => KeyBytes + ValueBytes + (DType == DType.Q8_0 ? 2 * PagedKv.BlockSize * sizeof(float) : 0);

    internal readonly byte* Keys(long block, int head) => Data + (((block * Heads) + head) * HeadBytes);

    /// <summary>Puts one position's key and value into its place.</summary>
    internal readonly void Write(long block, int position, int head, float* key, float* value)
    {
        byte* keys = Keys(block, head);
        byte* values = keys + KeyBytes;
        long row = (long)position * ValueStep;
        switch (DType)
        {
            case DType.F32:
                for (int d = 0; d < KeyDim; d++)
                {
                    ((float*)keys)[(d * PagedKv.BlockSize) + position] = key[d];
                }

                new ReadOnlySpan<float>(value, ValueDim).CopyTo(new Span<float>((float*)values + row, ValueDim));
                break;
            case DType.BF16:
                for (int d = 0; d < KeyDim; d++)
                {
                    ((ushort*)keys)[(d * PagedKv.BlockSize) + position] = BFloat16.Round(key[d]);
                }

                HalfKernels.NarrowBF16(value, (ushort*)values + row, ValueDim);
                break;
            default:
                float* scales = (float*)(values + ValueBytes) + position;
                scales[0] = Quantize(key, KeyDim, (sbyte*)keys + position, PagedKv.BlockSize);
                scales[PagedKv.BlockSize] = Quantize(value, ValueDim, (sbyte*)values + row, 1);
                break;
        }
    }

    // y = x / scale to the nearest, ties to even; scale = max |x| / 127. What is no number makes the scale none, so that it is seen later.
    private static float Quantize(float* x, int n, sbyte* y, int step)
    {
        float largest = 0;
        for (int i = 0; i < n; i++)
        {
            largest = MathF.Max(largest, MathF.Abs(x[i]));
        }

        float inverse = 127 / largest;
        inverse = float.IsFinite(inverse) ? inverse : 0;
        for (int i = 0; i < n; i++)
        {
            y[(long)i * step] = (sbyte)MathF.Round(x[i] * inverse);
        }

        return largest / 127;
    }
}
