namespace MmCluster.Tensors.Cpu.Attention;

/// <summary>
/// Blocks of 16 positions of keys and values: [block][kv head], there [d][16] keys, then [16][value step] values, whose rows are filled to a
/// multiple of 16.
/// </summary>
internal unsafe struct KvView
{
    internal float* Data;
    internal int Heads;
    internal int KeyDim;
    internal int ValueDim;

    internal KvView(PagedKv kv)
    {
        Data = kv.Data;
        Heads = kv.KvHeads;
        KeyDim = kv.HeadDim;
        ValueDim = kv.HeadDim;
    }

    internal readonly int ValueStep => (ValueDim + 15) & ~15;

    /// <summary>Floats of a head's keys.</summary>
    internal readonly long KeyFloats => (long)KeyDim * PagedKv.BlockSize;

    internal readonly long HeadFloats => KeyFloats + ((long)ValueStep * PagedKv.BlockSize);

    internal readonly float* Keys(long block, int head) => Data + (((block * Heads) + head) * HeadFloats);

    internal readonly float* Values(long block, int head) => Keys(block, head) + KeyFloats;

    /// <summary>Puts one position's key and value into its place.</summary>
    internal readonly void Write(long block, int position, int head, float* key, float* value)
    {
        float* keys = Keys(block, head) + position;
        for (int d = 0; d < KeyDim; d++)
        {
            keys[d * PagedKv.BlockSize] = key[d];
        }

        float* values = Values(block, head) + ((long)position * ValueStep);
        new ReadOnlySpan<float>(value, ValueDim).CopyTo(new Span<float>(values, ValueDim));
    }
}
